//! Messages as the pickiest chat templates take them.
//!
//! One system message, at the beginning; then user and assistant in turn, the user first; no message without content.
//! Conversations are so already, but for what a session's end or a script left behind. The beginning of a conversation
//! never depends on what follows it, so that a server's cache holds.

use std::borrow::Cow;

use crate::base::message::{Message, Role};

/// Stands where a message has no content, or where one is missing.
const NOTHING: &str = "(nothing)";

/// The same conversation, in a form that every template takes.
pub(super) fn normalised(messages: &[Message]) -> Cow<'_, [Message]> {
    if is_normal(messages) {
        return Cow::Borrowed(messages);
    }
    let mut normal: Vec<Message> = Vec::new();
    for (at, message) in messages.iter().enumerate() {
        let role = match message.role {
            // What comes later is for the model to read where it stands.
            Role::System if at > 0 => Role::User,
            role => role,
        };
        let content = if is_empty(message) { NOTHING } else { &message.content };
        match normal.last_mut() {
            Some(last) if last.role == role => {
                if content != NOTHING {
                    last.content.push_str("\n\n");
                    last.content.push_str(content);
                }
            }
            last => {
                if role == Role::Assistant && last.is_none_or(|last| last.role == Role::System) {
                    normal.push(Message::new(Role::User, NOTHING));
                }
                normal.push(Message::new(role, content));
            }
        }
    }
    Cow::Owned(normal)
}

fn is_normal(messages: &[Message]) -> bool {
    let turns = match messages {
        [first, turns @ ..] if first.role == Role::System => turns,
        turns => turns,
    };
    let in_turn = turns
        .iter()
        .enumerate()
        .all(|(at, message)| message.role == if at.is_multiple_of(2) { Role::User } else { Role::Assistant });
    in_turn && !messages.iter().any(is_empty)
}

fn is_empty(message: &Message) -> bool {
    message.content.trim().is_empty()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Cow, Message, Role, is_normal, normalised};

    fn messages(text: &str) -> Vec<Message> {
        let message = |word: &str| {
            let role = match &word[..1] {
                "s" => Role::System,
                "u" => Role::User,
                _ => Role::Assistant,
            };
            Message::new(role, &word[1..])
        };
        text.split(' ').map(message).collect()
    }

    #[test]
    fn what_templates_refuse_is_put_right() {
        for (given, want) in [
            ("sS u1 u2", "sS u1\n\n2"),
            ("sS u1 s2 a3", "sS u1\n\n2 a3"),
            ("sS a1", "sS u(nothing) a1"),
            ("u1 a u2", "u1 a(nothing) u2"),
            ("u1 u a2", "u1 a2"),
            ("s u1", "s(nothing) u1"),
            ("a1 a2", "u(nothing) a1\n\n2"),
        ] {
            let normal = normalised(&messages(given)).into_owned();
            let shown: Vec<String> = normal
                .iter()
                .map(|message| format!("{}{}", &format!("{:?}", message.role).to_lowercase()[..1], message.content))
                .collect();
            assert_eq!(shown.join(" "), want, "{given}");
        }
        assert!(matches!(normalised(&messages("sS u1 a2 u3")), Cow::Borrowed(_)));
    }

    proptest! {
        #[test]
        fn all_conversations_become_normal_and_only_grow(given in "[sua][xy]?( [sua][xy]?){0,8}") {
            let given = messages(&given);
            let normal = normalised(&given);
            prop_assert!(is_normal(&normal), "{normal:?}");
            let before = normalised(&given[..given.len() - 1]);
            for (old, new) in before.iter().zip(normal.iter()) {
                prop_assert!(old.role == new.role && new.content.starts_with(&old.content));
            }
        }
    }
}
