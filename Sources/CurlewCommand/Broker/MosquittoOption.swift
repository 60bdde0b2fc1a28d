#if Tools
import CurlewBroker
import CurlewTransport

/// A supported option of mosquitto.conf: what it sets, and how its value is parsed.
struct MosquittoOption: Sendable {
    typealias Reading<Part> = @Sendable (MosquittoValue, inout Part) throws(Objection) -> Void

    enum Subject: Sendable {
        /// Begins a listener or changes how the following lines are read.
        case structure(Structure)
        case broker(Reading<MosquittoConfiguration>)
        /// Sets an option of the current listener.
        case listener(Reading<MosquittoListener>)
        /// Sets an option of all listeners or, with `per_listener_settings`, of the current one.
        case security(Reading<MosquittoSecurity>)
    }

    enum Structure: Sendable {
        case listener, port, bindAddress, perListenerSettings, includeDirectory
    }

    /// What happens if the option was already set for the same listener.
    enum Repetition: Sendable {
        /// It is an error, as in mosquitto for texts.
        case refused
        /// The later line counts, as in mosquitto for numbers and booleans.
        case lastCounts
        /// All lines count.
        case allCount
    }

    let name: String
    let repetition: Repetition
    let subject: Subject

    static let all: [Self] =
        Self.structure + Self.security + Self.listener + Self.tls + Self.limits + Self.behavior + Self.logs

    static func named(_ name: String) -> Self? { self.byName[name] }

    private static let byName = Dictionary(uniqueKeysWithValues: Self.all.map { ($0.name, $0) })
}

// MARK: The options

extension MosquittoOption {
    private static let structure: [Self] = [
        .init(name: "listener", repetition: .allCount, subject: .structure(.listener)),
        .init(name: "port", repetition: .lastCounts, subject: .structure(.port)),
        .init(name: "bind_address", repetition: .refused, subject: .structure(.bindAddress)),
        .init(name: "per_listener_settings", repetition: .lastCounts, subject: .structure(.perListenerSettings)),
        .init(name: "include_dir", repetition: .allCount, subject: .structure(.includeDirectory)),
    ]

    private static let security: [Self] = [
        .flag("allow_anonymous") { $0.allowsAnonymous = $1 },
        .text("password_file") { $0.passwordFile = $1 },
        .text("acl_file") { $0.accessFile = $1 },
        .text("psk_file") { $0.preSharedKeyFile = $1 },
        .flag("allow_zero_length_clientid") { $0.assignsClientIdentifiers = $1 },
        .text("auto_id_prefix") { $0.assignedIdentifierPrefix = $1 },
    ]

    private static let listener: [Self] = [
        .onListener("protocol", .refused) { value, listener throws(Objection) in
            listener.isWebSocket = try value.oneOf([("mqtt", false), ("websockets", true)])
        },
        .onListener("websockets_headers_size") { value, listener throws(Objection) in
            listener.headerSize = try value.number(in: 0...1 << 20)
        },
        .onListener("http_dir") { value, listener throws(Objection) in
            listener.staticFiles = try value.wholeText()
        },
        .onListener("websockets_origin", .allCount) { value, listener throws(Objection) in
            let origin = String(try value.word())
            guard let normalized = WebSocketOrigins.normalized(origin) else {
                throw Objection("\(origin) is not the origin of a page, such as https://example.com:8443.")
            }
            listener.origins.insert(normalized)
        },
        .onListener("socket_domain") { value, listener throws(Objection) in
            listener.family = try value.oneOf([("ipv4", .ipv4), ("ipv6", .ipv6)])
        },
        .onListener("max_connections") { value, listener throws(Objection) in
            listener.maximumConnections = try value.limit(lowest: -1)
        },
        .onListener("maximum_qos", read: Self.maximumQoS),
        .onListener("max_qos", read: Self.maximumQoS),
        .onListener("max_topic_alias") { value, listener throws(Objection) in
            listener.topicAliasMaximum = UInt16(try value.number(in: 0...65_535))
        },
        .onListener("use_username_as_clientid") { value, listener throws(Objection) in
            listener.usesUsernameAsClientIdentifier = try value.boolean()
        },
    ]

    private static let maximumQoS: Reading<MosquittoListener> = { value, listener throws(Objection) in
        listener.maximumQoS = QoS(rawValue: UInt8(try value.number(in: 0...2))) ?? .exactlyOnce
    }

    private static let tls: [Self] = [
        .tlsText("cafile") { $0.authoritiesFile = $1 },
        .tlsText("capath") { $0.authoritiesFolder = $1 },
        .tlsText("crlfile") { $0.revocationFile = $1 },
        .tlsText("certfile") { $0.certificateFile = $1 },
        .tlsText("keyfile") { $0.keyFile = $1 },
        .tlsText("psk_hint") { $0.preSharedKeyHint = $1 },
        .tlsFlag("require_certificate") { $0.requiresCertificate = $1 },
        .tlsFlag("use_identity_as_username") { $0.usesCommonNameAsUsername = $1 },
        .tlsFlag("use_subject_as_username") { $0.usesSubjectAsUsername = $1 },
        .onListener("tls_version", .refused) { value, listener throws(Objection) in
            listener.tls.minimumVersion = try value.oneOf([
                ("tlsv1.3", .tls13), ("tlsv1.2", .tls12), ("tlsv1.1", .tls11),
            ])
        },
        .onListener("ciphers", .refused) { value, listener throws(Objection) in
            listener.tls.cipherSuites = try value.cipherSuites()
        },
    ]

    private static let limits: [Self] = [
        .onBroker("max_inflight_messages") { value, broker throws(Objection) in
            // In mosquitto, this option sets both directions.
            let count = UInt16(try value.limit(highest: 65_535) ?? 65_535)
            broker.limits.maximumInFlightMessages = count
            broker.limits.receiveMaximum = count
        },
        .onBroker("max_inflight_bytes") { value, broker throws(Objection) in
            broker.limits.maximumInFlightBytes = try value.limit()
        },
        .onBroker("max_queued_messages") { value, broker throws(Objection) in
            broker.limits.maximumQueuedMessages = try value.limit() ?? .max
        },
        .onBroker("max_queued_bytes") { value, broker throws(Objection) in
            broker.limits.maximumQueuedBytes = try value.limit() ?? .max
        },
        .onBroker("memory_limit") { value, broker throws(Objection) in
            broker.limits.maximumMemory = try value.limit() ?? .max
        },
        .onBroker("max_packet_size") { value, broker throws(Objection) in
            broker.limits.maximumPacketSize = UInt32(
                try value.number(in: 20...PacketSize.largest, unit: " (bytes)"))
        },
        .onBroker("message_size_limit") { value, broker throws(Objection) in
            broker.maximumPayload = try value.limit(highest: PacketSize.largestRemainingLength)
        },
        .onBroker("max_keepalive") { value, broker throws(Objection) in
            broker.limits.maximumKeepAlive = UInt16(try value.number(in: 10...65_535, unit: " (seconds)"))
        },
        .onBroker("persistent_client_expiration") { value, broker throws(Objection) in
            broker.limits.maximumSessionExpiry = try value.period()
        },
    ]

    private static let behavior: [Self] = [
        .behavior("queue_qos0_messages") { $0.queuesAtMostOnce = $1 },
        .behavior("upgrade_outgoing_qos") { $0.upgradesOutgoingQoS = $1 },
        .behavior("retain_available") { $0.retainAvailable = $1 },
        .behavior("check_retain_source") { $0.checksRetainSource = $1 },
        .onBroker("sys_interval") { value, broker throws(Objection) in
            broker.systemTopicInterval = .seconds(try value.number(in: 0...65_535, unit: " (seconds)"))
        },
        .onBroker("set_tcp_nodelay") { value, _ throws(Objection) in
            guard try value.boolean() else {
                throw Objection("it cannot be false, because small packets are always sent at once; remove the line.")
            }
        },
        .onBroker("persistence") { value, _ throws(Objection) in
            guard try !value.boolean() else {
                throw Objection("sessions and retained messages are kept only in memory; remove the line.")
            }
        },
    ]

    private static let logs: [Self] = [
        .onBroker("log_dest", .allCount) { value, broker throws(Objection) in
            try broker.log.add(destination: value)
        },
        .onBroker("log_type", .allCount) { value, broker throws(Objection) in
            try broker.log.add(type: value)
        },
    ]
}

// MARK: Making them

extension MosquittoOption {
    private static func onBroker(
        _ name: String, _ repetition: Repetition = .lastCounts, read: @escaping Reading<MosquittoConfiguration>
    ) -> Self {
        Self(name: name, repetition: repetition, subject: .broker(read))
    }

    /// Whether its value names a file or folder and therefore need not be UTF-8.
    var isPath: Bool { Self.paths.contains(self.name) }

    private static let paths: Set = [
        "acl_file", "cafile", "capath", "certfile", "crlfile", "http_dir", "include_dir", "keyfile", "log_dest",
        "password_file", "psk_file",
    ]

    private static func behavior(
        _ name: String, _ set: @escaping @Sendable (inout MQTTBrokerConfiguration.Behavior, Bool) -> Void
    ) -> Self {
        .onBroker(name) { value, broker throws(Objection) in set(&broker.behavior, try value.boolean()) }
    }

    private static func onListener(
        _ name: String, _ repetition: Repetition = .lastCounts, read: @escaping Reading<MosquittoListener>
    ) -> Self {
        Self(name: name, repetition: repetition, subject: .listener(read))
    }

    private static func tlsText(_ name: String, _ set: @escaping @Sendable (inout MosquittoTLS, String) -> Void)
        -> Self
    {
        .onListener(name, .refused) { value, listener throws(Objection) in
            set(&listener.tls, try value.wholeText())
        }
    }

    private static func tlsFlag(_ name: String, _ set: @escaping @Sendable (inout MosquittoTLS, Bool) -> Void)
        -> Self
    {
        .onListener(name) { value, listener throws(Objection) in set(&listener.tls, try value.boolean()) }
    }

    private static func text(_ name: String, _ set: @escaping @Sendable (inout MosquittoSecurity, String) -> Void)
        -> Self
    {
        let read: Reading<MosquittoSecurity> = { value, security throws(Objection) in
            set(&security, try value.wholeText())
        }
        return Self(name: name, repetition: .refused, subject: .security(read))
    }

    private static func flag(_ name: String, _ set: @escaping @Sendable (inout MosquittoSecurity, Bool) -> Void)
        -> Self
    {
        let read: Reading<MosquittoSecurity> = { value, security throws(Objection) in
            set(&security, try value.boolean())
        }
        return Self(name: name, repetition: .lastCounts, subject: .security(read))
    }
}
#endif
