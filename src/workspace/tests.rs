//! The workspace against hostile names, links and devices, and against a model of itself.
