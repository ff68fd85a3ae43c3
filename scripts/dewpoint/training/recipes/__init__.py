"""Recipes: each supplies a model, a stream and an objective to the loop, and saves what came out."""
