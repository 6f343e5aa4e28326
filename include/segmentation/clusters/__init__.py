"""Groups customers by their foreseen behaviour, and keeps the groups' identity from night to night."""
