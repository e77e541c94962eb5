"""The bundle: routes.yaml as a closed, versioned model, checked whole before anything starts."""
