"""`python -m docs` writes the configuration page from the types."""

from docs import CONFIGURATION
from nautilus.config import load_config
from nautilus.configuration_reference import as_markdown

if __name__ == "__main__":
    CONFIGURATION.write_text(as_markdown(load_config(environment={})), encoding="utf-8")
    print(f"wrote {CONFIGURATION}")
