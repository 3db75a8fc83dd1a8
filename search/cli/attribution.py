"""The command `attribution`: read, fit, print, write."""

from pathlib import Path

from search.cli.options import AttributionOptions


def run(options: AttributionOptions) -> int:
    """Print and write the effects of a study's blocks; returns the exit code.

    Raises InputError for biased trials, too few, a matching that the comparison does not have, or a
    design in which effects cannot be told apart.
    """
    from hybrid_swin.spec.own_code.kept_plugins import adopt_kept_plugins
    from hybrid_swin.system.answer import print_json
    from hybrid_swin.system.console import Console
    from hybrid_swin.system.files import write_json_atomically, write_text_atomically
    from search.comparison.attribution.figures import save_svg
    from search.comparison.attribution.model import attribute
    from search.comparison.attribution.tables import render, to_csv, to_markdown
    from search.comparison.attribution.trials import read_trials

    study = Path(options.study)
    adopt_kept_plugins(study, options.plugin, options.trust)
    attribution = attribute(read_trials(study, options.match), options.interactions, options.adjust)
    out = Path(options.out) if options.out else study
    if options.format == "table":
        Console().print(render(attribution))
    write_json_atomically(out / "attribution.json", attribution.to_dict())
    write_text_atomically(out / "attribution.csv", to_csv(attribution))
    write_text_atomically(out / "attribution.md", to_markdown(attribution))
    save_svg(attribution, out / "attribution.svg")
    if options.format == "json":
        print_json(attribution.to_dict())
    Console().say(f"\nwritten: {out}/attribution.json, .csv, .md, .svg")
    return 0
