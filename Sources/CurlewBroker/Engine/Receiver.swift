import CurlewCore

/// What a message can go to.
enum Receiver: Hashable, Sendable {
    /// A client, connected or away.
    case session(HostedSession)
    /// The program that embeds the broker.
    case local(LocalSubscriber)
}
