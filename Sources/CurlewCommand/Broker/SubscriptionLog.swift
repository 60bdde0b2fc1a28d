#if Tools
import CurlewBroker
import Logging

/// Logs subscriptions, if the log settings ask for it.
struct SubscriptionLog: MQTTBrokerObserver {
    let kinds: Set<LogSettings.Kind>
    let write: @Sendable (LogLine) -> Void

    var interests: MQTTBrokerEvents { .subscriptions }

    /// `nil` if the settings do not ask for it.
    init?(kinds: Set<LogSettings.Kind>, write: @escaping @Sendable (LogLine) -> Void) {
        guard kinds.contains(.subscribe) || kinds.contains(.unsubscribe) else { return nil }
        self.kinds = kinds
        self.write = write
    }

    func observe(_ event: MQTTBrokerEvent) {
        switch event {
        case .subscribed(let client, let filter, let options) where self.kinds.contains(.subscribe):
            self.say("subscribed", client, [("filter", "\(filter)"), ("qos", "\(options.qos.rawValue)")])
        case .unsubscribed(let client, let filter) where self.kinds.contains(.unsubscribe):
            self.say("unsubscribed", client, [("filter", "\(filter)")])
        default: break
        }
    }

    private func say(_ message: String, _ client: MQTTBrokerClient, _ more: [(key: String, value: String)]) {
        var metadata = [(key: "client", value: client.identifier)] + more
        if let username = client.username { metadata.append(("username", username)) }
        self.write(LogLine(time: .now, level: .notice, message: message, metadata: metadata))
    }
}
#endif
