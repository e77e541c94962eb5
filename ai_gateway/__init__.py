"""What the functions of the gateway share; knows neither Flask, nor Panel, nor the functions."""

__version__ = "0.1.0"
