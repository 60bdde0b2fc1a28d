/// A TLS setting that an error message can mention.
///
/// It has a different name in each interface: a property of the library, an option of the command, a line of a
/// configuration file.
package enum TLSSetting: Hashable, Sendable, CaseIterable {
    // Client settings.
    case trustRoots
    case clientCertificate
    case clientKey
    case clientKeyPassphrase
    case serverName
    case minimumVersion
    case cipherSuites
    case applicationProtocols
    case preSharedKey
    case revocationLists
    // Listener settings.
    case brokerCertificate
    case brokerKey
    case brokerKeyPassphrase
    case clientTrustRoots
    case clientRevocationLists
    case chainAuthorities
    case brokerCipherSuites

    /// The name of the library's property.
    var libraryName: String {
        switch self {
        case .trustRoots: "tls.trustRoots"
        case .clientCertificate: "tls.clientCertificate.chain"
        case .clientKey: "tls.clientCertificate.key"
        case .clientKeyPassphrase: "the passphrase of tls.clientCertificate"
        case .serverName: "tls.serverName"
        case .minimumVersion: "tls.minimumVersion"
        case .cipherSuites, .brokerCipherSuites: "tls.cipherSuites"
        case .applicationProtocols: "tls.applicationProtocols"
        case .preSharedKey: "tls.preSharedKey"
        case .revocationLists, .clientRevocationLists: "tls.revocationLists"
        case .brokerCertificate: "tls.certificate.chain"
        case .brokerKey: "tls.certificate.key"
        case .brokerKeyPassphrase: "the passphrase of tls.certificate"
        case .clientTrustRoots, .chainAuthorities: "tls.clientTrustRoots"
        }
    }
}

/// An error message with placeholders for the names of settings.
package struct TLSSentence: Sendable, Hashable, ExpressibleByStringInterpolation {
    fileprivate enum Piece: Hashable, Sendable {
        case text(String)
        case setting(TLSSetting)
    }

    private var pieces: [Piece]

    package init(stringLiteral text: String) { self.pieces = [.text(text)] }

    package init(stringInterpolation: StringInterpolation) { self.pieces = stringInterpolation.pieces }

    /// The message, with the names that `name` returns.
    package func text(naming name: (TLSSetting) -> String) -> String {
        self.pieces.map { piece in
            switch piece {
            case .text(let text): text
            case .setting(let setting): name(setting)
            }
        }.joined()
    }

    static func + (first: Self, second: Self) -> Self {
        var sentence = first
        sentence.pieces += second.pieces
        return sentence
    }

    package struct StringInterpolation: StringInterpolationProtocol {
        fileprivate var pieces: [Piece] = []

        package init(literalCapacity: Int, interpolationCount: Int) {
            self.pieces.reserveCapacity(interpolationCount * 2 + 1)
        }

        package mutating func appendLiteral(_ literal: String) { self.pieces.append(.text(literal)) }

        package mutating func appendInterpolation(_ value: some CustomStringConvertible) {
            self.pieces.append(.text(value.description))
        }

        /// The name of a setting.
        package mutating func appendInterpolation(_ setting: TLSSetting) { self.pieces.append(.setting(setting)) }

        /// Another message, or a part of one.
        package mutating func appendInterpolation(_ sentence: TLSSentence) { self.pieces += sentence.pieces }
    }
}
