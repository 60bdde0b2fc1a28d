import CurlewCore

/// Whoever a message can go to.
enum Subscriber: Hashable, Sendable {
    /// A client, connected or away.
    case session(HostedSession)
    /// The program that embeds the broker.
    case local(LocalSubscriber)
}
