//! What the integration tests share: the hermetic environment, and the published schemas.
