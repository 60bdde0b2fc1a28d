public import NIOCore

/// The properties of an MQTT 5.0 packet (section 2.2.2), in order. One word when there are none, as always before 5.0.
///
/// A property that is absent reads as `nil`. Whether a property may stand in a packet of a certain type is checked
/// when the packet is encoded or decoded.
public struct Properties: Hashable, Sendable {
    package var list: [Property]

    /// How many a packet that comes in may have, those with several values counted by value. A property of five bytes takes
    /// ten times as much in memory, and the packet size alone would not bound that.
    package static let maximumCount = 1024

    /// No properties.
    public init() { self.list = [] }

    package init(_ list: [Property]) { self.list = list }

    /// Whether there are none.
    public var isEmpty: Bool { self.list.isEmpty }

    /// Roughly what they weigh in memory, for bounds on what waits.
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

    /// The first value that `extract` finds.
    @inline(__always)
    private func first<Value>(_ extract: (Property) -> Value?) -> Value? {
        for property in self.list {
            if let value = extract(property) { return value }
        }
        return nil
    }

    /// Puts `property` in the place of the one that `extract` finds, appends it where there is none, removes where it
    /// is `nil`.
    private mutating func replace<Value>(_ property: Property?, _ extract: (Property) -> Value?) {
        guard let index = self.list.firstIndex(where: { extract($0) != nil }) else {
            if let property { self.list.append(property) }
            return
        }
        if let property { self.list[index] = property } else { self.list.remove(at: index) }
    }
}

// MARK: - What an application says about a message

extension Properties {
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

    /// What the payload is, by convention a MIME type. Section 3.3.2.3.9.
    public var contentType: String? {
        get { self.first { if case .contentType(let value) = $0 { value } else { nil } } }
        set {
            self.replace(newValue.map(Property.contentType)) {
                if case .contentType(let value) = $0 { value } else { nil }
            }
        }
    }

    /// The topic that a reply to this message goes to. Section 3.3.2.3.5.
    public var responseTopic: String? {
        get { self.first { if case .responseTopic(let value) = $0 { value } else { nil } } }
        set {
            self.replace(newValue.map(Property.responseTopic)) {
                if case .responseTopic(let value) = $0 { value } else { nil }
            }
        }
    }

    /// What tells the requester which request a reply belongs to. Section 3.3.2.3.6.
    public var correlationData: ByteBuffer? {
        get { self.first { if case .correlationData(let value) = $0 { value } else { nil } } }
        set {
            self.replace(newValue.map(Property.correlationData)) {
                if case .correlationData(let value) = $0 { value } else { nil }
            }
        }
    }

    /// The application's own names and values, in order. Section 3.3.2.3.7.
    public var userProperties: [UserProperty] {
        get { self.list.compactMap { if case .userProperty(let value) = $0 { value } else { nil } } }
        set {
            self.list.removeAll { if case .userProperty = $0 { true } else { false } }
            self.list.append(contentsOf: newValue.map(Property.userProperty))
        }
    }

    /// The value of the first user property of that name; setting it replaces all of that name, or removes them with
    /// `nil`.
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

    /// The identifiers of the subscriptions that made the server send this message. Section 3.3.2.3.8.
    public package(set) var subscriptionIdentifiers: [UInt32] {
        get { self.list.compactMap { if case .subscriptionIdentifier(let value) = $0 { value } else { nil } } }
        set {
            self.list.removeAll { if case .subscriptionIdentifier = $0 { true } else { false } }
            self.list.append(contentsOf: newValue.map(Property.subscriptionIdentifier))
        }
    }
}

// MARK: - What the two ends say to each other

extension Properties {
    /// Why, in words for people; present only where the peer chose to say it. Section 3.2.2.3.9.
    public package(set) var reasonString: String? {
        get { self.first { if case .reasonString(let value) = $0 { value } else { nil } } }
        set {
            self.replace(newValue.map(Property.reasonString)) {
                if case .reasonString(let value) = $0 { value } else { nil }
            }
        }
    }

    /// The server to use instead of this one. Section 3.2.2.3.16.
    public package(set) var serverReference: String? {
        get { self.first { if case .serverReference(let value) = $0 { value } else { nil } } }
        set {
            self.replace(newValue.map(Property.serverReference)) {
                if case .serverReference(let value) = $0 { value } else { nil }
            }
        }
    }

    /// The first of `list` that `extract` recognises: for the packets that read their own, less common properties.
    @inline(__always)
    package func value<Value>(_ extract: (Property) -> Value?) -> Value? { self.first(extract) }
}
