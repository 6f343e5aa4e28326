"""How customers are protected: pseudonyms and marks made with a key."""
