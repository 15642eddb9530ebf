"""Settings of the site: ``make docs`` builds it, ``make gallery`` runs its examples.

Sphinx is started in the root of the repository, so that `tools` can be imported.
"""

import os
from itertools import groupby

import sktransfer
from sktransfer._public import HOMES

project = "sktransfer"
author = copyright = "The sktransfer developers"
release = version = sktransfer.__version__

extensions = [
    "myst_parser",
    "numpydoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.intersphinx",
    "sphinx_copybutton",
    "sphinx_gallery.gen_gallery",
    "tools.site_links",
]
templates_path = ["_templates"]
exclude_patterns = ["_build", "_templates", "examples"]
default_role = "literal"
smartquotes = False  # of "pretrained" the quotes are code
toc_object_entries_show_parents = "hide"
nitpicky = True
# Links to other projects need a network: they are made only if this variable is set.
intersphinx_mapping = {}
if os.environ.get("SKTRANSFER_DOCS_INTERSPHINX"):
    intersphinx_mapping = {
        "numpy": ("https://numpy.org/doc/stable", None),
        "sklearn": ("https://scikit-learn.org/stable", None),
    }
# scikit-learn's methods link to pages of its own site.
suppress_warnings = ["ref.ref", "ref.term"]
nitpick_ignore_regex = [("py:.*", r"(numpy|sklearn|torch)\..*")]

myst_heading_anchors = 3
copybutton_prompt_text = "$ "
copybutton_exclude = ".linenos, .gp, .go"

# The pages of the reference are made of the registry of public names, a section per module.
TITLES = {
    "embedders": "Embedders",
    "finetune": "Fine-tuning",
    "pretrain": "Pre-training",
    "tables": "Tables",
    "backbones": "Backbones",
    "inspection": "Inspection",
    "modalities.image": "Reading images",
    "persistence": "Saving and exporting",
    "cache": "The cache",
    "training": "Training in several processes",
}
rooms = {
    home.removeprefix("sktransfer."): list(names) for home, names in groupby(HOMES, key=HOMES.get)
}
autosummary_generate = ["_templates/autosummary/start.rst"]
autosummary_context = {
    "sections": [(title, rooms.pop(room)) for room, title in TITLES.items()] + list(rooms.items())
}
numpydoc_class_members_toctree = False
autodoc_typehints = "none"

sphinx_gallery_conf = {
    "examples_dirs": "examples",
    "gallery_dirs": "gallery",
    "ignore_pattern": "^_",
    "within_subsection_order": "FileNameSortKey",
    "inspect_global_variables": False,
    "doc_module": "sktransfer",
    "backreferences_dir": "gallery/backreferences",
    "notebook_extensions": set(),
    "download_all_examples": False,
    "write_computation_times": False,
    "remove_config_comments": True,
    "show_signature": False,
}

html_theme = "pydata_sphinx_theme"
html_title = "sktransfer"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_sidebars = {"installation": []}
html_copy_source = False
html_domain_indices = False
html_use_index = False
html_theme_options = {
    "logo": {"text": "sktransfer"},
    "github_url": "https://github.com/sktransfer/sktransfer",
    "show_toc_level": 2,
    "navigation_with_keys": False,
}
