"""Tables as Markdown that also reads well in a terminal."""

MARK = "†"  # of a cell that differs from the baseline beyond chance
NONE = "–"  # in the place of a figure
NONE_SAYS = f"{NONE} is what a ranker has none of, or what is not known."


def grid(cells: list[list[str]], left: int = 1) -> str:
    """Rows of cells under a header, in columns of even width; the first `left` columns begin at the left."""
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    aligned = [str.ljust if column < left else str.rjust for column in range(len(widths))]
    lines = [
        "| " + " | ".join(align(*cell) for align, *cell in zip(aligned, row, widths, strict=True)) + " |"
        for row in cells
    ]
    rule = "|" + "|".join("-" * (width + 1) + ("-" if i < left else ":") for i, width in enumerate(widths)) + "|"
    return "\n".join([lines[0], rule, *lines[1:]])
