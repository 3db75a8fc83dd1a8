"""To and from other libraries: create_model as timm calls it, weights, surgery, export."""
