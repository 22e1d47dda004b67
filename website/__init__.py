"""The documentation site: pages made from `docs/`, the README, the specs and the commands.

In: the repository. Out: what mkdocs renders. Nothing here is a second source of a fact, and nothing
that a reader's browser would fetch from elsewhere.
"""
