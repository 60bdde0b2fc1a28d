#if Tools
import Logging

/// What the broker logs, and to which destinations.
struct LogSettings: Equatable, Sendable {
    enum Destination: Hashable, Sendable {
        case standardError, standardOutput
        case file(String)
    }

    /// Kinds of lines, as mosquitto distinguishes them.
    enum Kind: String, CaseIterable, Sendable {
        case debug, information, notice, warning, error
        /// New subscriptions.
        case subscribe
        /// Ended subscriptions.
        case unsubscribe
    }

    /// Default: standard error.
    private(set) var destinations: Set<Destination> = [.standardError]
    /// Default: all except debug, subscribe and unsubscribe.
    private(set) var kinds: Set<Kind> = [.information, .notice, .warning, .error]
    private var hasOwnDestinations = false
    private var hasOwnKinds = false

    var file: String? {
        for case .file(let path) in self.destinations { return path }
        return nil
    }

    /// Logs all kinds, regardless of other settings.
    mutating func logEverything() { self.kinds = Set(Kind.allCases) }

    // MARK: mosquitto.conf

    /// Applies a line `log_dest`. The first one replaces the default; `none` removes all destinations.
    mutating func add(destination value: MosquittoValue) throws(Objection) {
        let words = value.words
        switch words.first {
        case "file":
            let path = try MosquittoValue(try value.wholeText().dropFirst("file".count).trimmed)
                .naming("the file, as in log_dest file /var/log/curlew.log")
            guard self.file == nil else {
                throw Objection("there can be only one file; remove this line or the other.")
            }
            self.insert(.file(path))
        case "stderr":
            _ = try value.word()
            self.insert(.standardError)
        case "stdout":
            _ = try value.word()
            self.insert(.standardOutput)
        case "none":
            _ = try value.word()
            self.destinations = []
            self.hasOwnDestinations = true
        case "syslog", "dlt", "topic":
            throw Objection("\(words[0]) is not supported; use stderr, stdout, or file and its path.")
        default:
            let word = try value.word()
            throw Objection("\"\(word)\" is not one of stderr, stdout, file, none.")
        }
    }

    /// Applies a line `log_type`. The first one replaces the default; `none` removes all kinds.
    mutating func add(type value: MosquittoValue) throws(Objection) {
        let word = try value.word()
        var kinds = self.hasOwnKinds ? self.kinds : []
        switch word {
        case "all": kinds = Set(Kind.allCases)
        case "none": kinds = []
        case "websockets", "internal":
            throw Objection("there are no log messages of type \(word); remove the line.")
        default:
            guard let kind = Kind(rawValue: String(word)) else {
                let names = Kind.allCases.map(\.rawValue).joined(separator: ", ")
                throw Objection("\"\(word)\" is not one of \(names), all, none.")
            }
            kinds.insert(kind)
        }
        self.kinds = kinds
        self.hasOwnKinds = true
    }

    private mutating func insert(_ destination: Destination) {
        if !self.hasOwnDestinations { self.destinations = [] }
        self.hasOwnDestinations = true
        self.destinations.insert(destination)
    }
}

extension MosquittoValue {
    /// - Parameter what: What the value must name, for the error if it is missing.
    fileprivate func naming(_ what: String) throws(Objection) -> String {
        guard !self.isEmpty else { throw Objection("it does not name \(what).") }
        return try self.wholeText()
    }
}

extension Logger.Level {
    /// Mosquitto's name for the level.
    var kind: LogSettings.Kind {
        switch self {
        case .trace, .debug: .debug
        case .info: .information
        case .notice: .notice
        case .warning: .warning
        case .error, .critical: .error
        }
    }
}
#endif
