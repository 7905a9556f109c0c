//! The gateway against a real llama-server with the scripted model, where the machine has both.

#[tokio::test]
async fn placeholder() {}
