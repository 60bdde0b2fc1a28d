/// Where the replies to a request arrive.
enum ReplySource: Sendable {
    /// The inbox of all requests, under that correlation.
    case inbox(ReplyInbox, UInt64)
    /// A task that forwards what comes on a topic of the caller's.
    case subscription(Task<Void, Never>)

    /// No more are wanted.
    func end() {
        switch self {
        case .inbox(let inbox, let correlation): inbox.forget(correlation)
        case .subscription(let forwarding): forwarding.cancel()
        }
    }
}
