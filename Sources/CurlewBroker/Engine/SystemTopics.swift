import CurlewCore
import NIOCore

#if canImport(Darwin)
import Darwin
#elseif canImport(Musl)
import Musl
#else
import Glibc
#endif

/// What the broker publishes about itself below `$SYS/broker`, by mosquitto's names: retained, and only what has
/// changed.
struct SystemTopics {
    /// A rate per minute, averaged over the last 1, 5 and 15 minutes.
    private struct Load {
        var last = 0
        var averages = [0.0, 0.0, 0.0]

        mutating func update(_ value: Int, seconds: Double) {
            let perMinute = Double(value - self.last) * 60 / seconds
            self.last = value
            for (index, minutes) in [1.0, 5.0, 15.0].enumerated() {
                // An exponential moving average: the weight of a value falls to 1/e in so many minutes.
                let weight = exp(-seconds / (minutes * 60))
                self.averages[index] = self.averages[index] * weight + perMinute * (1 - weight)
            }
        }
    }

    private var published: [String: String] = [:]
    private var loads: [String: Load] = [:]
    private let start: Timestamp
    private var updated: Timestamp

    /// The version of this package.
    private static let version = "curlew version 0.1.0"

    init(start: Timestamp) {
        self.start = start
        self.updated = start
    }

    /// What has changed since the last time, by topic.
    mutating func changes(_ statistics: MQTTBrokerStatistics, now: Timestamp) -> [(topic: String, text: String)] {
        let figures = self.figures(statistics, now: now)
        let changes = figures.filter { self.published[$0.topic] != $0.text }
        for (topic, text) in changes { self.published[topic] = text }
        return changes
    }

    private mutating func figures(
        _ statistics: MQTTBrokerStatistics, now: Timestamp
    ) -> [(topic: String, text: String)] {
        let away = max(0, statistics.sessions - statistics.connectedClients)
        var figures: [(topic: String, text: String)] = [
            ("version", Self.version),
            ("uptime", "\((now - self.start).components.seconds) seconds"),
            ("clients/connected", "\(statistics.connectedClients)"),
            ("clients/active", "\(statistics.connectedClients)"),
            ("clients/disconnected", "\(away)"),
            ("clients/inactive", "\(away)"),
            ("clients/total", "\(statistics.connectedClients + away)"),
            ("clients/maximum", "\(statistics.maximumConnectedClients)"),
            ("subscriptions/count", "\(statistics.subscriptions)"),
            ("retained messages/count", "\(statistics.retainedMessages)"),
            ("store/messages/bytes", "\(statistics.queuedBytes)"),
            ("messages/received", "\(statistics.packetsReceived)"),
            ("publish/messages/received", "\(statistics.messagesReceived)"),
            ("publish/messages/sent", "\(statistics.messagesSent)"),
            ("publish/messages/dropped", "\(statistics.messagesDropped)"),
            ("bytes/received", "\(statistics.bytesReceived)"),
            ("bytes/sent", "\(statistics.bytesSent)"),
        ]
        let loads = [
            ("messages/received", statistics.packetsReceived), ("publish/received", statistics.messagesReceived),
            ("publish/sent", statistics.messagesSent), ("publish/dropped", statistics.messagesDropped),
            ("bytes/received", statistics.bytesReceived), ("bytes/sent", statistics.bytesSent),
            ("connections", statistics.connectionsAccepted),
        ]
        let seconds = Double((now - self.updated).components.seconds)
        if seconds >= 1 {
            self.updated = now
            for (name, value) in loads { self.loads[name, default: Load()].update(value, seconds: seconds) }
        }
        for (name, load) in self.loads {
            for (index, minutes) in ["1min", "5min", "15min"].enumerated() {
                figures.append(("load/\(name)/\(minutes)", Self.twoPlaces(load.averages[index])))
            }
        }
        return figures
    }

    private static func twoPlaces(_ value: Double) -> String {
        let hundredths = Int((value * 100).rounded())
        let fraction = hundredths % 100
        return "\(hundredths / 100).\(fraction < 10 ? "0" : "")\(fraction)"
    }
}
