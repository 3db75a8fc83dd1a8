"""The page that ends a study: the answer, the retrained rows, three cautions, where the rest is."""
