"""Words for what a picture shows, in Vietnamese and English: where in it, how long, what is wrong with it. PURE."""

from edge_agent.aim.words import Language
from edge_agent.vision.observation import Box

NINTHS: dict[Language, tuple[tuple[str, str, str], ...]] = {
    "vi": (
        ("phía trên bên trái", "phía trên", "phía trên bên phải"),
        ("bên trái", "giữa hình", "bên phải"),
        ("phía dưới bên trái", "phía dưới", "phía dưới bên phải"),
    ),
    "en": (
        ("upper left", "top", "upper right"),
        ("left", "middle", "right"),
        ("lower left", "bottom", "lower right"),
    ),
}
"""What the ninths of a picture are called, row by row."""

TAMPERS: dict[Language, dict[str, str]] = {
    "vi": {
        "covered": "bị che",
        "turned": "bị xoay",
        "defocused": "bị mờ",
        "black": "hình đen",
        "white": "hình trắng",
        "frozen": "hình đứng yên",
    },
    "en": {
        "covered": "covered",
        "turned": "turned",
        "defocused": "out of focus",
        "black": "black",
        "white": "white",
        "frozen": "frozen",
    },
}


def ninth(x: float, y: float, language: Language) -> str:
    """Which ninth of the picture a point in 0..1 is in."""
    return NINTHS[language][min(2, int(y * 3))][min(2, int(x * 3))]


def at(ninth_: str, language: Language) -> str:
    """There: "ở bên trái", "in the middle"."""
    if language == "vi":
        return f"ở {ninth_}"
    return f"{'in the' if ninth_ == 'middle' else 'on the' if ninth_ in ('left', 'right') else 'at the'} {ninth_}"


def place(box: Box, language: Language) -> str:
    """Where the box's centre is."""
    return at(ninth((box[0] + box[2]) / 2, (box[1] + box[3]) / 2, language), language)


def number(value: float, digits: int, language: Language) -> str:
    """`0,9` in Vietnamese, `0.9` in English."""
    text = f"{value:.{digits}f}"
    return text.replace(".", ",") if language == "vi" else text


def player_time(ms: float) -> str:
    """As a player shows it: `1:05`, `1:00:05`."""
    minutes, seconds = divmod(int(ms / 1000), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"
