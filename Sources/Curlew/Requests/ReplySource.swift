/// Where the replies to a request arrive.
enum ReplySource: Sendable {
    /// An inbox that requests share.
    case inbox(ReplyInbox, ReplyInbox.Registration)
    /// A task that forwards the messages of the caller's response topic.
    case subscription(Task<Void, Never>)

    /// No more replies are wanted.
    func end() {
        switch self {
        case .inbox(let inbox, let registration): inbox.forget(registration)
        case .subscription(let forwarding): forwarding.cancel()
        }
    }
}
