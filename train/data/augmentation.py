"""How far random views may differ from their pictures, at an augmentation strength of 1.

A range is a pair, lowest and highest, of a uniform distribution. Changes are relative: 0.2 makes
something up to 20 % larger. Chances are probabilities for one picture. Lengths are in half image
sides unless something else is said: a picture is 2 wide, from -1 to 1 with its centre at 0.
"""

from dataclasses import dataclass

Range = tuple[float, float]

MIRROR_CHANCE = 0.5
"""Chance that a picture is mirrored, unless its pose is learned. Strength does not change it."""

LEAST_HALF_SIDE = 0.1
"""Smallest half side of a half-drawn sketch's frame."""


@dataclass(frozen=True)
class Waves:
    """Smooth random displacements of lines.

    Attributes:
        points: number of random displacements along each side; others are interpolated.
        most: largest standard deviation of the displacements.
        none_chance: of no displacement.
    """

    points: int
    most: float
    none_chance: float = 0.5


@dataclass(frozen=True)
class SketchRanges:
    """Ranges for views of sketches.

    Attributes:
        thicker_chances: of lines 2 pixels thicker; independent of each other.
        half_chance: of a sketch that is only half drawn.
        half_line: position of the cut, measured from the centre; what is beyond it is not drawn.
        half_level_chance: of a level cut.
        degrees: rotation.
        zoom: change of the size.
        stretch: change of the width relative to the height.
        shift: along each axis.
        waves: of bent and of shaky lines.
        hole_chance: of a missing rectangle.
        hole_sides: width and height of that rectangle, as shares of the image side.
        grain_chance: of pale ink and noise.
        paler: largest share of the ink that is lost.
        grain: largest amplitude of the noise, in units of full ink.
    """

    thicker_chances: tuple[float, float] = (0.25, 0.15)
    half_chance: float = 0.35
    half_line: Range = (-0.2, 0.4)
    half_level_chance: float = 0.5
    degrees: Range = (-15, 15)
    zoom: Range = (-0.22, 0.12)
    stretch: Range = (-0.2, 0.2)
    shift: Range = (-0.1, 0.1)
    waves: tuple[Waves, ...] = (Waves(5, 0.06), Waves(16, 0.02))
    hole_chance: float = 0.2
    hole_sides: Range = (0.15, 0.45)
    grain_chance: float = 0.1
    paler: float = 0.4
    grain: float = 0.2


@dataclass(frozen=True)
class PhotoRanges:
    """Ranges for views of photos.

    Attributes:
        cut: share of the side that is cut off.
        cut_with_pose: largest such share for photos whose pose is learned: it must stay visible.
        degrees: rotation.
        stretch: change of the width relative to the height.
        beyond: how far the crop may reach beyond the photo.
        saturation, brightness, contrast: their changes.
        grey_chance: of no colour.
    """

    cut: Range = (0, 0.4)
    cut_with_pose: float = 0.15
    degrees: Range = (-8, 8)
    stretch: Range = (-0.15, 0.15)
    beyond: float = 0.04
    saturation: Range = (-0.4, 0.4)
    brightness: Range = (-0.3, 0.3)
    contrast: Range = (-0.3, 0.3)
    grey_chance: float = 0.15


SKETCHES, PHOTOS = SketchRanges(), PhotoRanges()
