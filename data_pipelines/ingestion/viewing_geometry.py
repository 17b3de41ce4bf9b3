"""Converts gaze from a screen to pixels of the film, and degrees of visual angle to pixels."""

import math
from dataclasses import dataclass, fields, replace
from typing import Literal, get_args

import numpy as np

from data_pipelines.runtime.errors import UserError

Units = Literal["pixels", "fraction"]
Shown = Literal["fit", "native"]
SHORTEST, LONGEST = 1e-3, 1e6  # limits of all lengths here, in pixels, centimetres or degrees
SAME_SHAPE = 0.02  # largest difference of width over height
DEFAULT_SIGMA_TO_WIDTH = 1 / 40  # one degree, if the film was 42 cm wide at 60 cm


@dataclass(frozen=True)
class Viewing:
    """How films were shown, and how far a gaze point spreads.

    Attributes:
      screen: (width, height) in pixels of the screen on which gaze is measured; None if it is measured on the film.
      shown: how films lie on `screen`, centred: "fit", as large as the screen allows, or "native", pixel on pixel. None
        is "fit", unless a recording or its database states it.
      measured_on_film: whether x and y are measured on the film even if there is a `screen`, which then only scales
        degrees.
      corner: the film's upper left corner on `screen`, if a recording states it; `shown` is not used then. The film has
        the size that makes it centred if this keeps its shape, else its own.
      from_centre: whether x and y are measured from the centre, to the right and upwards.
      sigma: standard deviation of the density map's Gaussian in pixels of the film. By default `sigma_degrees` of
        visual angle if `distance_cm` and `screen_width_cm` are given, else 1/40 of the film's width.
      distance_cm: from the eye to the screen.
      screen_width_cm: width of the screen's picture.
      screen_pixels: width of the screen in pixels, if gaze is measured on a film shown pixel on pixel. Without it and
        `screen`, a film fills the width of the screen.
      sigma_degrees: standard deviation of the Gaussian in degrees of visual angle.

    Raises:
      UserError: a value is out of range, or settings contradict each other.
    """

    screen: tuple[int, int] | None = None
    shown: Shown | None = None
    measured_on_film: bool = False
    corner: tuple[float, float] | None = None
    from_centre: bool = False
    sigma: float | None = None
    distance_cm: float | None = None
    screen_width_cm: float | None = None
    screen_pixels: int | None = None
    sigma_degrees: float = 1.0

    def __post_init__(self):
        if self.shown not in (None, *get_args(Shown)):
            raise UserError(f"--shown {self.shown}: is not known. Choose fit or native.")
        lengths = {
            "--screen": min(self.screen) if self.screen else None,
            "--sigma": self.sigma,
            "--viewing-distance": self.distance_cm,
            "--screen-width": self.screen_width_cm,
            "--screen-pixels": self.screen_pixels,
            "--sigma-degrees": self.sigma_degrees,
        }
        for flag, length in lengths.items():
            if length is not None and not SHORTEST <= length <= LONGEST:
                raise UserError(f"{flag} {length:g}: is not a length. Give a number from {SHORTEST:g} to {LONGEST:g}.")
        if (self.distance_cm is None) != (self.screen_width_cm is None):
            raise UserError("--viewing-distance and --screen-width: only one is given. Give both, or --sigma.")
        if self.sigma is not None and self.distance_cm is not None:
            raise UserError("--sigma: is given together with --viewing-distance. Give one of them.")
        if self.screen_pixels is not None and (self.screen is not None or self.distance_cm is None):
            raise UserError("--screen-pixels: is used only with --viewing-distance and without --screen. Leave it out.")

    def over(self, known: "Viewing") -> "Viewing":
        """Returns `known` with the settings of this one that are not the defaults.

        Raises:
          UserError: a setting of this one would have no effect.
        """
        given = {field.name: getattr(self, field.name) for field in fields(self)}
        given = {name: value for name, value in given.items() if value != getattr(Viewing(), name)}
        if "sigma" in given:
            known = replace(known, distance_cm=None, screen_width_cm=None)
        elif "distance_cm" in given:
            known = replace(known, sigma=None)
        if given.keys() & {"screen", "shown"}:
            known = replace(known, corner=None)
        both = replace(known, **given)
        if "sigma_degrees" in given and both.distance_cm is None:
            raise UserError(
                "--sigma-degrees: the size of a degree is unknown. Give --viewing-distance and --screen-width too, "
                "and no --sigma."
            )
        if given.get("shown") == "native" and both.screen is None:
            raise UserError("--shown native: the size of the screen is unknown. Give --screen too.")
        return both

    def film_sigma(self, film_size: tuple[float, float], pixel_aspect: float = 1) -> float:
        """Returns the standard deviation of the Gaussian in pixels of a film of size (width, height).

        If pixels are not square, these are heights of pixels; `pixel_aspect` is their width over their height.
        """
        if self.sigma is not None:
            return self.sigma
        film_size = film_size[0] * pixel_aspect, film_size[1]
        if self.distance_cm is None or self.screen_width_cm is None:  # both or neither are given
            return film_size[0] * DEFAULT_SIGMA_TO_WIDTH
        screen_pixels = self.screen[0] if self.screen else self.screen_pixels or film_size[0]
        on_screen_cm = 2 * self.distance_cm * math.tan(math.radians(self.sigma_degrees) / 2)
        return on_screen_cm * screen_pixels / self.screen_width_cm / self._enlargement(film_size)

    def on_film(
        self, x: np.ndarray, y: np.ndarray, units: Units, film_size: tuple[float, float], pixel_aspect: float = 1
    ) -> tuple[np.ndarray, np.ndarray]:
        """Returns gaze in pixels of the film, x and y [N]. `units` refer to the screen, or to the film without one.

        `pixel_aspect` is the width of the film's pixels on a screen over their height.
        """
        if self.screen and pixel_aspect != 1 and not self.measured_on_film:
            x, y = self.on_film(x, y, units, (film_size[0] * pixel_aspect, film_size[1]))
            return x / pixel_aspect, y
        if self.measured_on_film:
            return replace(self, screen=None, corner=None, measured_on_film=False).on_film(x, y, units, film_size)
        measured_on = self.screen or film_size
        if units == "fraction":
            x, y = x * measured_on[0], y * measured_on[1]
        if self.from_centre:
            x, y = measured_on[0] / 2 + x, measured_on[1] / 2 - y
        enlargement = self._enlargement(film_size)
        left, top = self.corner or (
            (length - enlargement * shown) / 2 for length, shown in zip(measured_on, film_size, strict=True)
        )
        return (x - left) / enlargement, (y - top) / enlargement

    def _enlargement(self, film_size: tuple[float, float]) -> float:
        """Returns the number of screen pixels per pixel of the film."""
        if self.screen is None:
            return 1.0
        if self.corner is not None:
            wide, high = (self.screen[axis] - 2 * self.corner[axis] for axis in (0, 1))
            ratios = wide / film_size[0], high / film_size[1]
            return ratios[0] if min(ratios) > 0 and abs(ratios[0] / ratios[1] - 1) < SAME_SHAPE else 1.0
        if self.shown == "native":
            return 1.0
        return min(self.screen[0] / film_size[0], self.screen[1] / film_size[1])
