/// The properties that a list has contained so far.
private struct SeenProperties {
    /// One bit for each identifier, all of which are below 64.
    private var bits: UInt64 = 0

    /// Whether this is the first property of its kind.
    mutating func insert(_ identifier: PropertyIdentifier) -> Bool {
        let isFirst = !self.contains(identifier)
        self.bits |= Self.bit(identifier)
        return isFirst
    }

    /// Authentication data require a method (sections 3.1.2.11.10, 3.2.2.3.18 and 3.15.2.2.3).
    var lacksAuthenticationMethod: Bool {
        self.contains(.authenticationData) && !self.contains(.authenticationMethod)
    }

    private func contains(_ identifier: PropertyIdentifier) -> Bool { self.bits & Self.bit(identifier) != 0 }
    private static func bit(_ identifier: PropertyIdentifier) -> UInt64 { 1 << UInt64(identifier.rawValue) }
}

// MARK: - Decoding

extension PacketReader {
    /// The property list at the current position; none before 5.0. Reads no more than the length of the list.
    mutating func properties() throws(DecodingError) -> Properties {
        try self.properties(in: PropertyScope(self.packet))
    }

    mutating func properties(in scope: PropertyScope) throws(DecodingError) -> Properties {
        guard self.version == .v5_0 else { return Properties() }
        if try self.skipEmptyList() { return Properties() }
        var noAlias: UInt16?
        return try self.nonEmptyProperties(in: scope, topicAlias: &noAlias)
    }

    /// The list of a PUBLISH. A topic alias is not put into the list, so that a message without other properties
    /// needs none.
    @inline(__always)
    mutating func publishProperties(
        topicAlias: inout UInt16?, _ cache: inout PropertyCache
    ) throws(DecodingError) -> Properties {
        guard self.version == .v5_0 else { return Properties() }
        if try self.skipEmptyList() { return Properties() }
        guard let list = self.shortList(), let key = PropertyCache.Key(list) else {
            return try self.nonEmptyProperties(in: .publish, topicAlias: &topicAlias)
        }
        if let known = cache.find(key) {
            self.skip(list)
            topicAlias = known.topicAlias
            return known.properties
        }
        let properties = try self.nonEmptyProperties(in: .publish, topicAlias: &topicAlias)
        cache.insert(key, properties, topicAlias: topicAlias)
        return properties
    }

    private mutating func nonEmptyProperties(
        in scope: PropertyScope, topicAlias: inout UInt16?
    ) throws(DecodingError) -> Properties {
        var properties = Properties()
        var seen = SeenProperties()
        try self.counted { (reader) throws(DecodingError) in
            // Several properties are likely: without this, each power of two would allocate again.
            if properties.list.isEmpty, reader.remainingCount >= 24 { properties.list.reserveCapacity(4) }
            let identifier = try reader.propertyIdentifier(in: scope)
            guard seen.insert(identifier) || identifier.repeatable.contains(scope) else {
                throw .repeatedProperty(identifier, reader.packet)
            }
            let isFull = properties.list.count >= Properties.maximumCount
            guard !isFull || reader.dropsExcessProperties else { throw .tooManyProperties(reader.packet) }
            let property = try reader.property(identifier)
            guard property.hasPermittedValue else { throw .propertyValue(identifier, reader.packet) }
            if case .topicAlias(let alias) = property {
                topicAlias = alias
            } else if !isFull {
                properties.list.append(property)
            }
        }
        guard !seen.lacksAuthenticationMethod else { throw .missingProperty(.authenticationMethod, self.packet) }
        return properties
    }

    private mutating func propertyIdentifier(in scope: PropertyScope) throws(DecodingError) -> PropertyIdentifier {
        let number = try self.variableByteInteger()
        guard let identifier = UInt8(exactly: number).flatMap(PropertyIdentifier.init(rawValue:)) else {
            throw .unknownProperty(number)
        }
        guard identifier.scope.contains(scope) else { throw .misplacedProperty(identifier, self.packet) }
        switch (identifier, self.packet, self.sender) {
        case (.subscriptionIdentifier, .publish, .client),  // [MQTT-3.3.4-6]
            (.sessionExpiryInterval, .disconnect, .server),  // [MQTT-3.14.2-2]
            (.serverReference, .disconnect, .client):  // Section 3.14.2.2.5: the server sends it.
            throw .misplacedProperty(identifier, self.packet)
        default:
            return identifier
        }
    }

    private mutating func property(_ identifier: PropertyIdentifier) throws(DecodingError) -> Property {
        switch identifier {
        case .payloadFormatIndicator: .payloadFormatIndicator(try self.byte())
        case .messageExpiryInterval: .messageExpiryInterval(try self.fourBytes())
        case .contentType: .contentType(try self.text())
        case .responseTopic: .responseTopic(try self.topicName().string)
        case .correlationData: .correlationData(try self.data())
        case .subscriptionIdentifier: .subscriptionIdentifier(try self.variableByteInteger())
        case .sessionExpiryInterval: .sessionExpiryInterval(try self.fourBytes())
        case .assignedClientIdentifier: .assignedClientIdentifier(try self.text())
        case .serverKeepAlive: .serverKeepAlive(try self.twoBytes())
        case .authenticationMethod: .authenticationMethod(try self.text())
        case .authenticationData: .authenticationData(try self.data())
        case .requestProblemInformation: .requestProblemInformation(try self.flag(identifier))
        case .willDelayInterval: .willDelayInterval(try self.fourBytes())
        case .requestResponseInformation: .requestResponseInformation(try self.flag(identifier))
        case .responseInformation: .responseInformation(try self.text())
        case .serverReference: .serverReference(try self.text())
        case .reasonString: .reasonString(try self.text())
        case .receiveMaximum: .receiveMaximum(try self.twoBytes())
        case .topicAliasMaximum: .topicAliasMaximum(try self.twoBytes())
        case .topicAlias: .topicAlias(try self.twoBytes())
        case .maximumQoS: .maximumQoS(try self.maximumQoS())
        case .retainAvailable: .retainAvailable(try self.flag(identifier))
        case .userProperty: .userProperty(UserProperty(try self.text(), try self.text()))
        case .maximumPacketSize: .maximumPacketSize(try self.fourBytes())
        case .wildcardSubscriptionAvailable: .wildcardSubscriptionAvailable(try self.flag(identifier))
        case .subscriptionIdentifierAvailable: .subscriptionIdentifierAvailable(try self.flag(identifier))
        case .sharedSubscriptionAvailable: .sharedSubscriptionAvailable(try self.flag(identifier))
        }
    }

    /// A byte that is 0 or 1.
    private mutating func flag(_ identifier: PropertyIdentifier) throws(DecodingError) -> Bool {
        switch try self.byte() {
        case 0: false
        case 1: true
        default: throw .propertyValue(identifier, self.packet)
        }
    }

    private mutating func maximumQoS() throws(DecodingError) -> QoS {
        guard let qos = QoS(rawValue: try self.byte()) else { throw .propertyValue(.maximumQoS, self.packet) }
        return qos
    }
}

// MARK: - Encoding

extension Properties {
    /// The size of the list without its length, plus `more` for what its owner stores elsewhere. 0 before 5.0:
    /// packets of older versions contain no properties.
    @inline(__always)
    func contentSize(
        in scope: PropertyScope, of packet: PacketType, version: ProtocolVersion, plus more: Int = 0
    ) throws(EncodingError) -> Int {
        guard version == .v5_0 else { return 0 }
        return self.list.isEmpty ? more : try self.nonEmptyContentSize(in: scope, of: packet) + more
    }

    /// The size of a list of `contentSize` bytes with its length [MQTT-2.2.2-1].
    @inline(__always)
    static func size(_ contentSize: Int, version: ProtocolVersion) -> Int {
        version == .v5_0 ? VariableByteInteger.size(of: contentSize) + contentSize : 0
    }

    /// The size of the list with its length; 0 before 5.0.
    func size(in scope: PropertyScope, of packet: PacketType, version: ProtocolVersion) throws(EncodingError) -> Int {
        Self.size(try self.contentSize(in: scope, of: packet, version: version), version: version)
    }

    private func nonEmptyContentSize(in scope: PropertyScope, of packet: PacketType) throws(EncodingError) -> Int {
        var size = 0
        var seen = SeenProperties()
        for property in self.list {
            let identifier = property.identifier
            guard identifier.scope.contains(scope), identifier != .topicAlias else {
                throw .misplacedProperty(identifier, packet)
            }
            guard seen.insert(identifier) || identifier.repeatable.contains(scope) else {
                throw .repeatedProperty(identifier, packet)
            }
            guard property.hasPermittedValue else { throw .propertyValue(identifier, packet) }
            size += try property.size()
        }
        guard !seen.lacksAuthenticationMethod else {
            throw .invalid("Authentication data need an authentication method.")
        }
        return size
    }
}

extension PacketWriter {
    /// The list with its length; nothing before 5.0.
    mutating func write(
        _ properties: Properties, contentSize: Int, version: ProtocolVersion
    ) {
        guard version == .v5_0 else { return }
        self.write(variable: contentSize)
        for property in properties.list { self.write(property) }
    }

    mutating func write(_ property: Property) {
        self.write(property.identifier.rawValue)
        switch property {
        case .payloadFormatIndicator(let value):
            self.write(value)
        case .requestProblemInformation(let value), .requestResponseInformation(let value), .retainAvailable(let value),
            .wildcardSubscriptionAvailable(let value), .subscriptionIdentifierAvailable(let value),
            .sharedSubscriptionAvailable(let value):
            self.write(value ? 1 : 0 as UInt8)
        case .maximumQoS(let value):
            self.write(value.rawValue)
        case .serverKeepAlive(let value), .receiveMaximum(let value), .topicAliasMaximum(let value),
            .topicAlias(let value):
            self.write(value)
        case .messageExpiryInterval(let value), .sessionExpiryInterval(let value), .willDelayInterval(let value),
            .maximumPacketSize(let value):
            self.write(value)
        case .subscriptionIdentifier(let value):
            self.write(variable: Int(value))
        case .contentType(let value), .responseTopic(let value), .assignedClientIdentifier(let value),
            .authenticationMethod(let value), .responseInformation(let value), .serverReference(let value),
            .reasonString(let value):
            self.write(text: value)
        case .correlationData(let value), .authenticationData(let value):
            self.write(data: value)
        case .userProperty(let value):
            self.write(text: value.name)
            self.write(text: value.value)
        }
    }
}

extension Property {
    /// Whether the standard permits the value, apart from what its type guarantees.
    var hasPermittedValue: Bool {
        switch self {
        case .payloadFormatIndicator(let value): value <= 1
        case .subscriptionIdentifier(let value): 1...UInt32(VariableByteInteger.maximum) ~= value
        case .receiveMaximum(let value), .topicAlias(let value): value != 0  // [MQTT-3.3.2-8]
        case .maximumPacketSize(let value): value != 0
        // A server that supports QoS 2 omits the property (section 3.2.2.3.4).
        case .maximumQoS(let value): value != .exactlyOnce
        default: true
        }
    }

    /// The size with the identifier, which always takes one byte.
    fileprivate func size() throws(EncodingError) -> Int {
        switch self {
        case .payloadFormatIndicator, .requestProblemInformation, .requestResponseInformation, .retainAvailable,
            .wildcardSubscriptionAvailable, .subscriptionIdentifierAvailable, .sharedSubscriptionAvailable, .maximumQoS:
            2
        case .serverKeepAlive, .receiveMaximum, .topicAliasMaximum, .topicAlias:
            3
        case .messageExpiryInterval, .sessionExpiryInterval, .willDelayInterval, .maximumPacketSize:
            5
        case .subscriptionIdentifier(let value):
            1 + VariableByteInteger.size(of: Int(value))
        case .responseTopic(let value):
            try self.topicSize(value)
        case .contentType(let value), .assignedClientIdentifier(let value), .authenticationMethod(let value),
            .responseInformation(let value), .serverReference(let value), .reasonString(let value):
            1 + (try EncodedSize.text(value, self.identifier.description))
        case .correlationData(let value), .authenticationData(let value):
            1 + (try EncodedSize.data(value, self.identifier.description))
        case .userProperty(let value):
            1 + (try EncodedSize.text(value.name, "name of a user property"))
                + (try EncodedSize.text(value.value, "value of the user property “\(value.name)”"))
        }
    }

    /// [MQTT-3.3.2-14]
    private func topicSize(_ topic: String) throws(EncodingError) -> Int {
        do { _ = try TopicName(topic) } catch { throw .invalid("The response topic is not valid: \(error)") }
        return try 1 + EncodedSize.text(topic, self.identifier.description)
    }

    /// The identifier of this property.
    package var identifier: PropertyIdentifier {
        switch self {
        case .payloadFormatIndicator: .payloadFormatIndicator
        case .messageExpiryInterval: .messageExpiryInterval
        case .contentType: .contentType
        case .responseTopic: .responseTopic
        case .correlationData: .correlationData
        case .subscriptionIdentifier: .subscriptionIdentifier
        case .sessionExpiryInterval: .sessionExpiryInterval
        case .assignedClientIdentifier: .assignedClientIdentifier
        case .serverKeepAlive: .serverKeepAlive
        case .authenticationMethod: .authenticationMethod
        case .authenticationData: .authenticationData
        case .requestProblemInformation: .requestProblemInformation
        case .willDelayInterval: .willDelayInterval
        case .requestResponseInformation: .requestResponseInformation
        case .responseInformation: .responseInformation
        case .serverReference: .serverReference
        case .reasonString: .reasonString
        case .receiveMaximum: .receiveMaximum
        case .topicAliasMaximum: .topicAliasMaximum
        case .topicAlias: .topicAlias
        case .maximumQoS: .maximumQoS
        case .retainAvailable: .retainAvailable
        case .userProperty: .userProperty
        case .maximumPacketSize: .maximumPacketSize
        case .wildcardSubscriptionAvailable: .wildcardSubscriptionAvailable
        case .subscriptionIdentifierAvailable: .subscriptionIdentifierAvailable
        case .sharedSubscriptionAvailable: .sharedSubscriptionAvailable
        }
    }
}
