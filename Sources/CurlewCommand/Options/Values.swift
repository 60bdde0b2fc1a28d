#if Tools
import ArgumentParser
import Curlew
import CurlewCore

/// The value of an option, with a description of the permitted values.
protocol CheckedArgument: ExpressibleByArgument {
    /// To follow "it must be".
    static var expectation: String { get }
}

extension CheckedArgument {
    /// Parses a value for an option's `transform`, so that the parser's error lists the permitted values.
    static func read(_ text: String) throws -> Self {
        guard let value = Self(argument: text) else { throw ValidationError("it must be \(Self.expectation)") }
        return value
    }
}

extension QoS: CheckedArgument {
    static let expectation = "0, 1 or 2"
}

/// The protocol version, in mosquitto's spelling or the usual one.
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
struct PortArgument: CheckedArgument, Equatable {
    static let expectation = "a number from 1 to 65535"

    let port: Int

    init?(argument: String) {
        guard let port = Int(argument), (1...65_535).contains(port) else { return nil }
        self.port = port
    }
}

/// The session expiry interval in seconds; -1, ∞ or 4294967295 for never.
struct ExpiryArgument: CheckedArgument, Equatable {
    static let expectation = "a number of seconds from 0 to 4294967295, or -1 for never"

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

/// The keep-alive interval in seconds; 0 disables pings.
struct KeepAliveArgument: CheckedArgument, Equatable {
    static let expectation = "a number of seconds from 0 to 65535"

    let seconds: UInt16

    init?(argument: String) {
        guard let seconds = UInt16(argument) else { return nil }
        self.seconds = seconds
    }
}

/// A time in seconds, greater than zero.
struct SecondsArgument: CheckedArgument, Equatable {
    static let expectation = "a number of seconds greater than 0, as in 2.5"

    let duration: Duration

    init?(argument: String) {
        guard let seconds = Double(argument), seconds > 0, seconds <= Self.longest else { return nil }
        self.duration = .seconds(seconds)
    }

    /// A hundred years.
    static let longest: Double = 3_155_760_000
}

/// A time in seconds, which may be zero.
struct DelayArgument: CheckedArgument, Equatable {
    static let expectation = "a number of seconds, as in 0.5"

    let duration: Duration

    init?(argument: String) {
        guard let seconds = Double(argument), seconds >= 0, seconds <= SecondsArgument.longest else { return nil }
        self.duration = .seconds(seconds)
    }
}

/// A percentage.
struct PercentArgument: CheckedArgument, Equatable {
    static let expectation = "a number from 0.1 to 100"

    let percent: Double

    init?(argument: String) {
        guard let percent = Double(argument), (0.1...100).contains(percent) else { return nil }
        self.percent = percent
    }
}

/// When the broker sends retained messages, as a word or as the standard's number.
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

/// A count of at least one.
struct CountArgument: CheckedArgument, Equatable {
    static let expectation = "a whole number of at least 1"

    let count: Int

    init?(argument: String) {
        guard let count = Int(argument), count > 0 else { return nil }
        self.count = count
    }
}

/// The minimum TLS version, in mosquitto's spelling or the usual one.
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

/// A key as hexadecimal digits.
struct HexadecimalKey: CheckedArgument, Equatable {
    static let expectation = "hexadecimal digits, two for each byte"

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
