"""The sections of params.yaml with their defaults: one module per section, or per group of sections that one stage follows.

A default that changes results stands in the module of its section, because dvc.yaml names this module among the dependencies of the
stage: so DVC sees a changed default as it sees a changed value. A test compares both.
"""
