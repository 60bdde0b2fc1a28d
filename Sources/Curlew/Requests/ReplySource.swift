/// Where the replies to a request arrive.
enum ReplySource: Sendable {
    /// The shared inbox, with the request's correlation data.
    case inbox(ReplyInbox, UInt64)
    /// A task that forwards the messages of the caller's response topic.
    case subscription(Task<Void, Never>)

    /// No more replies are wanted.
    func end() {
        switch self {
        case .inbox(let inbox, let correlation): inbox.forget(correlation)
        case .subscription(let forwarding): forwarding.cancel()
        }
    }
}
