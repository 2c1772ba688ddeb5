"""Pages of one HTML file: one look, and a template engine that escapes values.

Class names, ids and errors are a stranger's. Knows templates; it knows no predictions.
"""

from typing import Any

import jinja2

SHARED = "galaxy_models.evaluation"  # holds the style that all pages share


def render(package: str, template: str, **values: Any) -> str:
    """Fill a template in.

    Args:
        package: whose folder holds it.
        template: its file name.
        values: by the names that the template knows.
    """
    places = [jinja2.PackageLoader(one, ".") for one in (package, SHARED)]
    environment = jinja2.Environment(
        loader=jinja2.ChoiceLoader(places),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(template).render(**values)
