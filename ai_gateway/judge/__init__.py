"""The judge: scores recorded answers with a model, and turns scores into weights."""
