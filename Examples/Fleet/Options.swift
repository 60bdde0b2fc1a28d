import Curlew

/// The command-line options.
struct Options {
    /// The broker.
    private(set) var server = MQTTConfiguration.Server.mqtt("127.0.0.1")
    /// When to stop; `nil` for only at Ctrl-C.
    private(set) var seconds: Double?

    init(arguments: some Sequence<String>) throws {
        var arguments = arguments.makeIterator()
        while let option = arguments.next() {
            if option == "-h" || option == "--help" { throw Help() }
            guard let value = arguments.next() else { throw Mistake("\(option) is unknown, or its value is missing") }
            switch option {
            case "--host": self.server.host = value
            case "--port":
                guard let port = Int(value) else { throw Mistake("--port needs a number, not \(value)") }
                self.server.port = port
            case "--seconds":
                guard let seconds = Double(value), seconds > 0, seconds < 1e9 else {
                    throw Mistake("--seconds needs a number above zero, not \(value)")
                }
                self.seconds = seconds
            default: throw Mistake("\(option) is unknown")
            }
        }
    }

    struct Help: Error, CustomStringConvertible {
        let description = "Usage: Fleet [--host 127.0.0.1] [--port 1883] [--seconds N]"
    }

    struct Mistake: Error, CustomStringConvertible {
        let description: String

        init(_ mistake: String) { self.description = "\(mistake). \(Help())" }
    }
}
