#if Tools
import ArgumentParser
import Curlew
import CurlewCore
import NIOCore

/// The will: the message that the broker publishes if this command disconnects unexpectedly.
struct WillOptions: ParsableArguments {
    @Option(
        name: .customLong("will-topic"), parsing: .unconditional,
        help: "Topic of the will, which the broker publishes if this command disconnects unexpectedly.")
    var topic: String?

    @Option(name: .customLong("will-payload"), parsing: .unconditional, help: "Payload of the will. (default: empty)")
    var payload: String?

    @Option(
        name: .customLong("will-qos"), parsing: .unconditional,
        help: ArgumentHelp("QoS of the will. (default: 0)", valueName: "0|1|2"),
        completion: .list(["0", "1", "2"]), transform: QoS.read)
    var qos: QoS?

    @Flag(name: .customLong("will-retain"), help: "Publish the will as a retained message.")
    var retain = false

    func validate() throws {
        guard self.topic == nil else { return }
        let orphans = [
            ("--will-payload", self.payload != nil), ("--will-qos", self.qos != nil),
            ("--will-retain", self.retain),
        ]
        if let orphan = orphans.first(where: \.1)?.0 { throw ValidationError("\(orphan) needs --will-topic") }
    }

    /// - Parameter properties: The will's properties, which need a will.
    func will(_ properties: Properties) throws -> MQTTConfiguration.Will? {
        guard let topic else {
            guard properties.isEmpty else {
                throw CommandFailure("-D will needs a will; set its topic with --will-topic.")
            }
            return nil
        }
        var properties = properties
        let delay = properties.value { if case .willDelayInterval(let seconds) = $0 { seconds } else { nil } }
        properties.list.removeAll { $0.identifier == .willDelayInterval }
        return .init(
            topic: topic, payload: ByteBuffer(bytes: (self.payload ?? "").keptBytes), qos: self.qos ?? .atMostOnce,
            retain: self.retain,
            delay: .seconds(Int(delay ?? 0)), properties: properties)
    }
}
#endif
