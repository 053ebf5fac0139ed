"""The contracts of models, in their ymls: written, exchanged, compared."""
