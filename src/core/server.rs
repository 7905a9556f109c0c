//! The server of a conversation: found when it is needed, and another one by the user's word.

use crate::core::conversation::Conversation;
use crate::core::event::Event;
use crate::core::op::Topic;
use crate::core::verdict::Stopped;
use crate::gateway::{self, Gateway, GatewayError};
use crate::session::record::Entry;

impl Conversation {
    /// The server is looked for where it was not found before.
    pub(super) async fn connected(&mut self) -> Result<(), Stopped> {
        if self.parts.gateway.is_none() {
            self.connect().await?;
        }
        Ok(())
    }

    async fn connect(&mut self) -> Result<(), Stopped> {
        let token = self.parts.interrupt.token();
        let gateway = tokio::select! {
            gateway = Gateway::connect(&self.parts.server) => gateway?,
            () = token.cancelled() => return Err(Stopped::Interrupted),
        };
        self.take_gateway(gateway).await;
        Ok(())
    }

    async fn take_gateway(&mut self, gateway: Gateway) {
        let model = gateway.server().model.clone();
        self.parts.gateway = Some(gateway);
        self.emit(Event::Session(self.info())).await;
        if self.resumed && !self.history.model.is_empty() && self.history.model != model {
            let text = format!("the conversation was with `{}` until now", self.history.model);
            self.emit(Event::Notice(text)).await;
        }
    }

    pub(super) async fn use_model(&mut self, name: String, save: bool) -> Result<(), Stopped> {
        let before = self.parts.server.model.replace(name.clone());
        if let Err(stopped) = self.connect().await {
            self.parts.server.model = before;
            return Err(stopped);
        }
        let listed = Gateway::models(&self.parts.server).await.unwrap_or_default();
        if !listed.is_empty() && !listed.iter().any(|server| server.model == name) {
            self.emit(Event::Notice(format!("the server does not list `{name}`; `/model` shows what it has"))).await;
        }
        if save {
            let text = match (self.parts.keep_model)(&name) {
                Ok(()) => format!("`{name}` is the model of later sessions too"),
                Err(problem) => format!("the model is not saved: {problem}"),
            };
            self.emit(Event::Notice(text)).await;
        }
        if self.history.system_prompt().is_some() {
            self.record(Entry::SettingChanged { key: "model.name".to_owned(), value: name.into() });
            self.parts.session.sync().await?;
        }
        Ok(())
    }

    /// What the search beside an open prompt came to.
    pub async fn found(&mut self, found: Result<Gateway, GatewayError>) {
        match found {
            Ok(gateway) => self.take_gateway(gateway).await,
            // Never guessed: the user is asked, by a list to choose from.
            Err(GatewayError::Ambiguous { message, .. }) => {
                self.emit(Event::Notice(message)).await;
                if let Err(stopped) = self.show(&Topic::Models).await {
                    self.error(&stopped, 0).await;
                }
                let text = "`/model NAME` chooses one, and then you can begin; `/model NAME --save` keeps it for later sessions";
                self.emit(Event::Notice(text.to_owned())).await;
            }
            Err(error) => {
                self.error(&error.into(), 0).await;
                self.emit(Event::Notice("it is looked for again when you say something".to_owned())).await;
            }
        }
    }

    /// Where the server is looked for, with the model that was chosen last.
    pub fn server_options(&self) -> &gateway::Options {
        &self.parts.server
    }

    pub fn is_connected(&self) -> bool {
        self.parts.gateway.is_some()
    }

    pub(super) fn server(&self) -> Option<&gateway::Server> {
        self.parts.gateway.as_ref().map(Gateway::server)
    }
}
