import Curlew
import Foundation
import NIOCore
import Testing

/// A message in the form that Curlew and the peers share.
struct PeerMessage: Codable, Hashable, Sendable, CustomTestStringConvertible {
    var topic: String
    var payload: Data
    var qos: UInt8
    var retain = false
    var contentType: String?
    var responseTopic: String?
    var correlationData: Data?
    /// Names and values.
    var userProperties: [[String]]?
    var messageExpiryInterval: UInt32?
    var payloadIsText: Bool?

    var testDescription: String {
        var shown = self
        shown.payload = self.payload.prefix(16)
        return "\(shown), \(self.payload.count) bytes: \(Array(shown.payload))"
    }

    /// Messages at each QoS with content that is easily corrupted on the way.
    ///
    /// - Parameter correlationData: Chosen by the caller, since some programs cannot send arbitrary bytes.
    static func samples(_ version: ProtocolVersion, correlationData: Data) -> [PeerMessage] {
        var samples = [PeerMessage(topic: "peer/long", payload: Data(repeating: 0x2A, count: 20_000), qos: 1)]
        for qos in QoS.allCases.map(\.rawValue) {
            samples.append(PeerMessage(topic: "peer/küche/温度/🛋️/\(qos)", payload: Data(0...255), qos: qos))
            samples.append(PeerMessage(topic: "peer//a b/\(qos)", payload: Data(), qos: qos))
            guard version == .v5_0 else { continue }
            var described = PeerMessage(topic: "peer/described/\(qos)", payload: Data("21,5 °C".utf8), qos: qos)
            described.contentType = "text/plain"
            described.payloadIsText = true
            described.responseTopic = "peer/réponse"
            described.correlationData = correlationData
            described.userProperties = [["k", "2"], ["ü", "é"], ["k", "1"], ["none", ""]]
            described.messageExpiryInterval = 1000
            samples.append(described)
        }
        return samples
    }

    /// A retained message.
    static let kept = PeerMessage(topic: "peer/kept", payload: Data("on".utf8), qos: 1, retain: true)

    /// The same message as existing subscribers receive it.
    var live: PeerMessage {
        var message = self
        message.retain = false
        return message
    }
}

extension [PeerMessage] {
    /// In a form that can be compared: messages of different QoS may overtake each other, and the broker counts down
    /// the message expiry interval.
    var comparable: [PeerMessage] {
        self.sorted { $0.topic < $1.topic }.map { message in
            var message = message
            message.messageExpiryInterval = message.messageExpiryInterval.map { ($0 + 99) / 100 * 100 }
            return message
        }
    }
}

// MARK: Curlew's side

extension PeerMessage {
    init(_ message: MQTTMessage) {
        self.init(
            topic: message.topic.string, payload: Data(message.payload.readableBytesView), qos: message.qos.rawValue)
        self.retain = message.isRetained
        let properties = message.properties
        self.contentType = properties.contentType
        self.responseTopic = properties.responseTopic
        self.correlationData = properties.correlationData.map { Data($0.readableBytesView) }
        if !properties.userProperties.isEmpty {
            self.userProperties = properties.userProperties.map { [$0.name, $0.value] }
        }
        self.messageExpiryInterval = properties.messageExpiryInterval
        self.payloadIsText = properties.payloadIsText
    }

    var properties: Properties {
        var properties = Properties()
        properties.contentType = self.contentType
        properties.responseTopic = self.responseTopic
        properties.correlationData = self.correlationData.map { ByteBuffer(bytes: $0) }
        properties.userProperties = (self.userProperties ?? []).map { UserProperty($0[0], $0[1]) }
        properties.messageExpiryInterval = self.messageExpiryInterval
        properties.payloadIsText = self.payloadIsText
        return properties
    }
}

extension MQTTClient {
    /// Publishes the message and waits until it is acknowledged.
    func publish(_ message: PeerMessage) async throws {
        let qos: QoS = try #require(QoS(rawValue: message.qos))
        try await self.publish(
            ByteBuffer(bytes: message.payload), to: message.topic, qos: qos,
            retain: message.retain, properties: message.properties)
    }
}

/// The reply of every responder in these tests.
func answer(to payload: Data) -> Data { Data("re: ".utf8) + payload }
