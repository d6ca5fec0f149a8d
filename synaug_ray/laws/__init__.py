"""From measurements to laws with honest intervals, and to a verdict. Tables in, typed results out."""

from synaug_ray.laws.analysis import analyse
from synaug_ray.laws.controls import controls

__all__ = ["analyse", "controls"]
