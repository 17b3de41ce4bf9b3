"""HTML as a tree of elements: text is escaped where the tree is written, so no name of a film can be markup."""

import base64
import io
import re
from xml.etree import ElementTree

import numpy as np
from PIL import Image

Element = ElementTree.Element
Child = Element | str | None

# What XML, and so a browser, has no character for.
CONTROL_CHARACTERS = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def element(tag: str, *children: Child, **attributes: object) -> Element:
    """An element with text and elements in it. `class_` is class, `aria_label` aria-label; None leaves one out."""
    made = Element(
        tag,
        {
            name.rstrip("_").replace("_", "-"): _clean(str(value))
            for name, value in attributes.items()
            if value is not None
        },
    )
    return append(made, *children)


def append(parent: Element, *children: Child) -> Element:
    for child in children:
        if isinstance(child, Element):
            parent.append(child)
        elif child and len(parent):
            parent[-1].tail = (parent[-1].tail or "") + _clean(child)
        elif child:
            parent.text = (parent.text or "") + _clean(child)
    return parent


def page(root: Element) -> str:
    return "<!DOCTYPE html>\n" + ElementTree.tostring(root, encoding="unicode", method="html") + "\n"


def latex_elements(text: str) -> list[Child]:
    """`$S_{1}^{av}$` with sub and sup elements; other text as it is."""
    found: list[Child] = []
    for part in re.split(r"([_^]\{[^}]*\})", text.replace("$", "")):
        if script := re.fullmatch(r"([_^])\{([^}]*)\}", part):
            found.append(element("sub" if script[1] == "_" else "sup", script[2]))
        else:
            found.append(part)
    return found


def jpeg_uri(picture: np.ndarray, quality: int = 82) -> str:
    """uint8 [H, W, 3] -> a data: URI."""
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "JPEG", quality=quality)
    return "data:image/jpeg;base64," + base64.b64encode(file.getvalue()).decode()


def _clean(text: str) -> str:
    return CONTROL_CHARACTERS.sub("\ufffd", text)
