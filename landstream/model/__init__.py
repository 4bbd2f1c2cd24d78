"""`landstream model`: the models of a store, which of them is champion, and how a person changes that."""
