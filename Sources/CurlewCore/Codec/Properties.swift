public import NIOCore

/// Packets have more properties (section 2.2.2) than those that users read and write.
package typealias Properties = MessageProperties

/// The MQTT 5.0 properties of a message (section 3.3.2.3), in order. Takes one word when there are none, as always
/// before 5.0.
///
/// An absent property reads as `nil`. Encoding and decoding check whether a property is permitted in a type of
/// packet.
public struct MessageProperties: Hashable, Sendable {
    package var list: [Property]

    /// The maximum number in a received packet; properties with several values count for each value. A property of
    /// five bytes takes ten times as much in memory, and the packet size would not bound that.
    package static let maximumCount = 1024

    /// No properties.
    public init() { self.list = [] }

    package init(_ list: [Property]) { self.list = list }

    /// Whether there are none.
    public var isEmpty: Bool { self.list.isEmpty }

    /// The approximate size in memory, for the limits on queues.
    package var byteCount: Int {
        self.list.reduce(0) { sum, property in
            let text =
                switch property {
                case .userProperty(let property): property.name.utf8.count + property.value.utf8.count
                case .contentType(let text), .responseTopic(let text), .reasonString(let text): text.utf8.count
                case .correlationData(let data): data.readableBytes
                default: 0
                }
            return sum + MemoryLayout<Property>.stride + text
        }
    }

    /// The first value that `extract` returns.
    @inline(__always)
    private func first<Value>(_ extract: (Property) -> Value?) -> Value? {
        for property in self.list {
            if let value = extract(property) { return value }
        }
        return nil
    }

    /// Replaces the property that `extract` finds by `property`, appends it if there is none, removes it if
    /// `property` is `nil`.
    private mutating func replace<Value>(_ property: Property?, _ extract: (Property) -> Value?) {
        guard let index = self.list.firstIndex(where: { extract($0) != nil }) else {
            if let property { self.list.append(property) }
            return
        }
        if let property { self.list[index] = property } else { self.list.remove(at: index) }
    }
}

// MARK: - What an application says about a message

extension MessageProperties {
    /// Whether the payload is UTF-8 text (`true`), or unspecified bytes (`false`). Section 3.3.2.3.2.
    public var payloadIsText: Bool? {
        get { self.first { if case .payloadFormatIndicator(let value) = $0 { value == 1 } else { nil } } }
        set {
            self.replace(newValue.map { .payloadFormatIndicator($0 ? 1 : 0) }) {
                if case .payloadFormatIndicator(let value) = $0 { value } else { nil }
            }
        }
    }

    /// The lifetime of the message in seconds; absent means that it does not expire. Section 3.3.2.3.3.
    public var messageExpiryInterval: UInt32? {
        get { self.first { if case .messageExpiryInterval(let value) = $0 { value } else { nil } } }
        set {
            self.replace(newValue.map(Property.messageExpiryInterval)) {
                if case .messageExpiryInterval(let value) = $0 { value } else { nil }
            }
        }
    }

    /// The type of the payload, by convention a MIME type. Section 3.3.2.3.9.
    public var contentType: String? {
        get { self.first { if case .contentType(let value) = $0 { value } else { nil } } }
        set {
            self.replace(newValue.map(Property.contentType)) {
                if case .contentType(let value) = $0 { value } else { nil }
            }
        }
    }

    /// The topic for replies to this message. Section 3.3.2.3.5.
    public var responseTopic: String? {
        get { self.first { if case .responseTopic(let value) = $0 { value } else { nil } } }
        set {
            self.replace(newValue.map(Property.responseTopic)) {
                if case .responseTopic(let value) = $0 { value } else { nil }
            }
        }
    }

    /// Identifies the request that a reply belongs to. Section 3.3.2.3.6.
    public var correlationData: ByteBuffer? {
        get { self.first { if case .correlationData(let value) = $0 { value } else { nil } } }
        set {
            self.replace(newValue.map(Property.correlationData)) {
                if case .correlationData(let value) = $0 { value } else { nil }
            }
        }
    }

    /// Names and values that the application defines, in order. Section 3.3.2.3.7.
    public var userProperties: [UserProperty] {
        get { self.list.compactMap { if case .userProperty(let value) = $0 { value } else { nil } } }
        set {
            self.list.removeAll { if case .userProperty = $0 { true } else { false } }
            self.list.append(contentsOf: newValue.map(Property.userProperty))
        }
    }

    /// The value of the first user property with this name. Setting it replaces all with this name; `nil` removes
    /// them.
    public subscript(name: String) -> String? {
        get {
            self.first {
                if case .userProperty(let property) = $0, property.name.hasSameBytes(as: name) {
                    property.value
                } else {
                    nil
                }
            }
        }
        set {
            self.list.removeAll {
                if case .userProperty(let property) = $0 { property.name.hasSameBytes(as: name) } else { false }
            }
            if let newValue { self.list.append(.userProperty(UserProperty(name, newValue))) }
        }
    }

    /// The identifiers of the subscriptions that the message matches. Section 3.3.2.3.8.
    public package(set) var subscriptionIdentifiers: [UInt32] {
        get {
            guard self.hasSubscriptionIdentifier else { return [] }
            return self.list.compactMap { if case .subscriptionIdentifier(let value) = $0 { value } else { nil } }
        }
        set {
            // Most messages have none: nothing is copied then.
            if self.hasSubscriptionIdentifier {
                self.list.removeAll { if case .subscriptionIdentifier = $0 { true } else { false } }
            }
            if !newValue.isEmpty { self.list.append(contentsOf: newValue.map(Property.subscriptionIdentifier)) }
        }
    }

    private var hasSubscriptionIdentifier: Bool {
        self.list.contains { if case .subscriptionIdentifier = $0 { true } else { false } }
    }
}

// MARK: - What the two ends say to each other

extension MessageProperties {
    /// The peer's explanation, for people; `nil` if it gave none. Section 3.2.2.3.9.
    package var reasonString: String? {
        get { self.first { if case .reasonString(let value) = $0 { value } else { nil } } }
        set {
            self.replace(newValue.map(Property.reasonString)) {
                if case .reasonString(let value) = $0 { value } else { nil }
            }
        }
    }

    /// The server to use instead of this one. Section 3.2.2.3.16.
    package var serverReference: String? {
        get { self.first { if case .serverReference(let value) = $0 { value } else { nil } } }
        set {
            self.replace(newValue.map(Property.serverReference)) {
                if case .serverReference(let value) = $0 { value } else { nil }
            }
        }
    }

    /// How many seconds the session outlives the connection. Sections 3.1.2.11.2, 3.2.2.3.2 and 3.14.2.2.2.
    package var sessionExpiryInterval: UInt32? {
        self.first { if case .sessionExpiryInterval(let value) = $0 { value } else { nil } }
    }

    /// The method of an enhanced authentication. Sections 3.1.2.11.9, 3.2.2.3.17 and 3.15.2.2.2.
    package var authenticationMethod: String? {
        self.first { if case .authenticationMethod(let value) = $0 { value } else { nil } }
    }

    /// The data of one step of an enhanced authentication. Sections 3.1.2.11.10, 3.2.2.3.18 and 3.15.2.2.3.
    package var authenticationData: ByteBuffer? {
        self.first { if case .authenticationData(let value) = $0 { value } else { nil } }
    }

    /// How many seconds the server waits before it publishes the will. Section 3.1.3.2.2.
    package var willDelayInterval: UInt32? {
        self.first { if case .willDelayInterval(let value) = $0 { value } else { nil } }
    }

    /// The first value that `extract` returns: for packets that read less common properties.
    @inline(__always)
    package func value<Value>(_ extract: (Property) -> Value?) -> Value? { self.first(extract) }
}
