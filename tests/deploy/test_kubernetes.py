"""The manifests agree with each other, with the image and with the bundle."""

import re
import shutil
import subprocess
import sys
from argparse import Namespace
from pathlib import Path
from typing import Any

import pytest
import yaml

from ai_gateway.arguments import parse
from ai_gateway.manifest.load import load
from ai_gateway.settings import Settings
from scripts.cai_schedule import cron
from tests.deploy.conftest import KUBERNETES, ROOT, last, manifests

BUNDLE: dict[str, Any] = yaml.safe_load((ROOT / "routes.yaml").read_text("utf-8"))
KUSTOMIZATION: dict[str, Any] = yaml.safe_load(
    (KUBERNETES / "kustomization.yaml").read_text("utf-8")
)
SECRET: dict[str, Any] = yaml.safe_load((KUBERNETES / "secret.example.yaml").read_text("utf-8"))


def named(kind: str) -> dict[str, dict[str, Any]]:
    """The objects of one kind by their names."""
    return {each["metadata"]["name"]: each for each in manifests() if each["kind"] == kind}


def pods() -> dict[str, dict[str, Any]]:
    """The pods of all that starts any."""
    jobs = {name: job["spec"]["jobTemplate"] for name, job in named("CronJob").items()}
    templates = {**named("Deployment"), **jobs}
    return {name: each["spec"]["template"]["spec"] for name, each in templates.items()}


PODS = pods()
WITH_BUNDLE = [name for name in PODS if name != "ai-gateway-dashboard"]


@pytest.mark.parametrize("name", PODS)
def test_a_pod_may_do_no_more_than_it_must(name: str) -> None:
    """Not root, nothing written but to its volumes, no privileges, no token of the cluster's."""
    pod = PODS[name]
    (container,) = pod["containers"]
    user, _, group = last("USER").partition(":")
    assert pod["automountServiceAccountToken"] is False
    assert pod["securityContext"] == {
        "runAsNonRoot": True,
        "runAsUser": int(user),
        "runAsGroup": int(group),
        "fsGroup": int(group),
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert container["resources"]["limits"]["memory"]
    assert container["image"] == KUSTOMIZATION["images"][0]["name"]


@pytest.mark.parametrize("name", PODS)
def test_what_a_pod_names_is_there(name: str) -> None:
    """Every volume, claim, ConfigMap and Secret that a pod names exists."""
    pod, (container,) = PODS[name], PODS[name]["containers"]
    volumes = {volume["name"]: volume for volume in pod["volumes"]}
    mounts = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
    assert set(mounts) == set(volumes)
    assert mounts["wal"] == "/wal"
    assert "GATEWAY_WAL=/wal" in last("ENV")
    assert ("bundle" in mounts) == (name in WITH_BUNDLE)
    claim = volumes["wal"].get("persistentVolumeClaim", {}).get("claimName")
    assert (claim in named("PersistentVolumeClaim")) == (name == "ai-gateway")
    for source in container["envFrom"]:
        if "configMapRef" in source:
            assert source["configMapRef"]["name"] in named("ConfigMap")
        else:
            assert source["secretRef"]["name"] == SECRET["metadata"]["name"]
    assert named("ConfigMap")["ai-gateway-settings"]["data"]["GATEWAY_DATA"].startswith("s3://")


def test_one_gateway_behind_its_service() -> None:
    """One replica, since limits are in memory, replaced and not doubled; the service finds it."""
    gateway = named("Deployment")["ai-gateway"]["spec"]
    assert gateway["replicas"] == 1
    assert gateway["strategy"] == {"type": "Recreate"}
    labels = gateway["template"]["metadata"]["labels"]
    service = named("Service")["ai-gateway"]["spec"]
    assert gateway["selector"]["matchLabels"] == labels == service["selector"]
    (container,) = gateway["template"]["spec"]["containers"]
    (port,) = container["ports"]
    assert service["ports"][0]["targetPort"] == port["name"]
    assert str(port["containerPort"]) in container["args"]
    assert str(port["containerPort"]) == last("EXPOSE")


def test_probes_ask_routes_that_anybody_may() -> None:
    """Life is asked at /healthz, readiness at /readyz; both are routes without a login."""
    (container,) = PODS["ai-gateway"]["containers"]
    probes = {name: container[f"{name}Probe"]["httpGet"] for name in ("liveness", "readiness")}
    assert {name: probe["path"] for name, probe in probes.items()} == {
        "liveness": "/healthz",
        "readiness": "/readyz",
    }
    free = {route["path"] for route in BUNDLE["routes"] if route["auth"] == "none"}
    assert {probe["path"] for probe in probes.values()} <= free
    assert {probe["port"] for probe in probes.values()} == {"http"}


def test_jobs_run_as_the_bundle_says_and_never_twice_at_once() -> None:
    """Each job of routes.yaml has its CronJob with the same schedule."""
    found = {}
    for job in named("CronJob").values():
        assert job["spec"]["concurrencyPolicy"] == "Forbid"
        (container,) = job["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"]
        found[container["args"][1]] = job["spec"]["schedule"]
    assert found == {job["name"]: cron(job["every"]) for job in BUNDLE["jobs"]}


@pytest.mark.parametrize("name", WITH_BUNDLE)
def test_arguments_are_the_runners(name: str) -> None:
    """The runner takes the arguments, and reads the bundle where it is mounted."""
    (container,) = PODS[name]["containers"]
    seen: list[Namespace] = []

    def command(options: Namespace) -> int:
        """Keep the options."""
        seen.append(options)
        return 0

    commands = dict.fromkeys(("serve", "job", "check", "simulate", "demo"), command)
    parse(commands, ROOT, container["args"])()
    mounts = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
    assert str(seen[0].bundle) == mounts["bundle"]


def test_the_bundle_is_mounted_whole() -> None:
    """The ConfigMap is made of the bundle's own files, and every pod sees each in its folder."""
    generated = [(KUBERNETES / file).resolve() for file in bundle_files()]
    own = {ROOT / "routes.yaml", *ROOT.glob("policies/*.yaml"), *ROOT.glob("judge_prompts/*.md")}
    assert set(generated) == own
    for name in WITH_BUNDLE:
        assert {ROOT / path for path in mounted(name).values()} == own
        assert set(mounted(name)) == {file.name for file in own}


def bundle_files() -> list[str]:
    """The files of the generated ConfigMap."""
    (generator,) = KUSTOMIZATION["configMapGenerator"]
    assert KUSTOMIZATION["generatorOptions"] == {"disableNameSuffixHash": True}
    files: list[str] = generator["files"]
    return files


def mounted(name: str) -> dict[str, str]:
    """Where each key of the ConfigMap is seen in a pod."""
    volumes = {volume["name"]: volume for volume in PODS[name]["volumes"]}
    source = volumes["bundle"]["configMap"]
    assert source["name"] == KUSTOMIZATION["configMapGenerator"][0]["name"]
    return {item["key"]: item["path"] for item in source["items"]}


def test_the_example_of_a_secret_starts_nothing() -> None:
    """It holds all that the bundle and the gateway need, and each value must be filled in."""
    names = set(re.findall(r"\$\{(\w+)\}", (ROOT / "routes.yaml").read_text("utf-8")))
    assert set(SECRET["stringData"]) == names | {"AI_GATEWAY_API_KEY"}
    assert not any(SECRET["stringData"].values())
    assert "secret.example.yaml" not in KUSTOMIZATION["resources"]
    told = "\n".join(map(str, load(Settings.read(ROOT, SECRET["stringData"]), loopback=False)[1]))
    assert all(name in told for name in SECRET["stringData"])


@pytest.mark.slow
def test_the_image_checks_a_mounted_bundle(image: Path, tmp_path: Path) -> None:
    """Kubernetes mounts a ConfigMap as links to links; the image's runner reads it so."""
    mount, version = tmp_path / "bundle", tmp_path / "bundle" / "..2026_01_01"
    for source in bundle_files():
        target = version / mounted("ai-gateway")[Path(source).name]
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(KUBERNETES / source, target)
    (mount / "..data").symlink_to(version.name)
    for path in version.iterdir():
        (mount / path.name).symlink_to(f"..data/{path.name}")
    filled = dict.fromkeys(SECRET["stringData"], "https://models.example/v1")
    filled |= {name: "filled-in" for name in filled if not name.endswith("_URL")}
    run = subprocess.run(
        [sys.executable, "runner.py", "check", "--bundle", str(mount)],
        cwd=image,
        env=filled,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    assert "no problem found" in run.stdout


@pytest.mark.skipif(not shutil.which("kubectl"), reason="kubectl is not installed")
def test_kubectl_builds_the_whole() -> None:
    """The command that deploy/README.md gives builds every object, with the image's version."""
    command = ["kubectl", "kustomize", "--load-restrictor", "LoadRestrictionsNone"]
    run = subprocess.run([*command, str(KUBERNETES)], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    built = list(yaml.safe_load_all(run.stdout))
    assert len(built) == len(manifests()) + 1  # the bundle's ConfigMap
    assert f"image: ai-gateway:{KUSTOMIZATION['images'][0]['newTag']}" in run.stdout
    assert " ".join(command) in (KUBERNETES.parent / "README.md").read_text("utf-8")
