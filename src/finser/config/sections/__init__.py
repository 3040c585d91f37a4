"""The sections of params.yaml with their defaults: one module per section, or per group of sections that one stage depends on.

Each default is in the module of its section. dvc.yaml lists this module as a dependency, so DVC notices a changed default. A test compares
both.
"""
