#if Tools
    public import ArgumentParser
    import Curlew
    public import CurlewCore

    extension QoS: ExpressibleByArgument {}

    /// The protocol version, as mosquitto's commands spell it and as people do.
    struct VersionArgument: ExpressibleByArgument, Equatable {
        let version: ProtocolVersion

        init?(argument: String) {
            switch argument {
            case "mqttv31", "31", "3.1": self.version = .v3_1
            case "mqttv311", "311", "3.1.1": self.version = .v3_1_1
            case "mqttv5", "5", "5.0": self.version = .v5_0
            default: return nil
            }
        }

        static let allValueStrings = ["mqttv31", "mqttv311", "mqttv5", "3.1", "3.1.1", "5"]
    }

    /// A TCP port.
    struct PortArgument: ExpressibleByArgument, Equatable {
        let port: Int

        init?(argument: String) {
            guard let port = Int(argument), (1...65_535).contains(port) else { return nil }
            self.port = port
        }
    }

    /// Seconds until a session expires; -1, ∞ or 4294967295 for never.
    struct ExpiryArgument: ExpressibleByArgument, Equatable {
        let expiry: MQTTConfiguration.Expiry

        init?(argument: String) {
            if argument == "-1" || argument == "∞" {
                self.expiry = .never
            } else if let seconds = UInt32(argument) {
                self.expiry = seconds == .max ? .never : .after(.seconds(seconds))
            } else {
                return nil
            }
        }
    }

    /// A time in seconds, more than none.
    struct SecondsArgument: ExpressibleByArgument, Equatable {
        let duration: Duration

        init?(argument: String) {
            guard let seconds = Double(argument), seconds > 0, seconds <= Self.longest else { return nil }
            self.duration = .seconds(seconds)
        }

        /// A hundred years.
        static let longest: Double = 3_155_760_000
    }

    /// A time in seconds, which may be none.
    struct DelayArgument: ExpressibleByArgument, Equatable {
        let duration: Duration

        init?(argument: String) {
            guard let seconds = Double(argument), seconds >= 0, seconds <= SecondsArgument.longest else { return nil }
            self.duration = .seconds(seconds)
        }
    }

    /// How many in a hundred.
    struct PercentArgument: ExpressibleByArgument, Equatable {
        let percent: Double

        init?(argument: String) {
            guard let percent = Double(argument), (0.1...100).contains(percent) else { return nil }
            self.percent = percent
        }
    }

    /// When the server sends retained messages, in words or as the standard numbers it.
    struct RetainHandlingArgument: ExpressibleByArgument, Equatable {
        let handling: SubscriptionOptions.RetainHandling

        init?(argument: String) {
            switch argument {
            case "always", "0": self.handling = .sendAtSubscribe
            case "new", "1": self.handling = .sendIfNew
            case "never", "2": self.handling = .doNotSend
            default: return nil
            }
        }

        static let allValueStrings = ["always", "new", "never"]
    }

    /// How many, at least one.
    struct CountArgument: ExpressibleByArgument, Equatable {
        let count: Int

        init?(argument: String) {
            guard let count = Int(argument), count > 0 else { return nil }
            self.count = count
        }
    }

    /// The oldest version of TLS to use, as mosquitto's commands spell it and as people do.
    struct TLSVersionArgument: ExpressibleByArgument, Equatable {
        let version: TLSSettings.Version

        init?(argument: String) {
            switch argument {
            case "tlsv1.1", "1.1": self.version = .tls11
            case "tlsv1.2", "1.2": self.version = .tls12
            case "tlsv1.3", "1.3": self.version = .tls13
            default: return nil
            }
        }

        static let allValueStrings = ["tlsv1.1", "tlsv1.2", "tlsv1.3"]
    }

    /// A key in hexadecimal digits.
    struct HexadecimalKey: ExpressibleByArgument, Equatable {
        let bytes: [UInt8]

        init?(argument: String) {
            let digits = Array(argument.utf8)
            guard !digits.isEmpty, digits.count.isMultiple(of: 2) else { return nil }
            var bytes: [UInt8] = []
            for index in stride(from: 0, to: digits.count, by: 2) {
                guard let pair = String(validating: digits[index...index + 1], as: UTF8.self),
                    pair.allSatisfy(\.isHexDigit), let byte = UInt8(pair, radix: 16)
                else { return nil }
                bytes.append(byte)
            }
            self.bytes = bytes
        }
    }
#endif
