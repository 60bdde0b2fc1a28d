#if Tools
import CurlewBroker
import CurlewTransport

/// The result of arguments or a configuration file: how the broker runs, and what is reported.
struct BrokerPlan: Sendable {
    var configuration: MQTTBrokerConfiguration
    /// The addresses of the configuration's listeners, in the same order, for people.
    var addresses: [ListenerAddress]
    var log = LogSettings()
    /// Warnings to log at the start.
    var warnings: [String] = []
    /// The name of a TLS setting in the arguments or the file, given the index of the listener.
    var settingName: @Sendable (_ listener: Int, TLSSetting) -> String = { _, setting in
        TLSSettingNames(arguments: [], variable: { _ in nil }).name(setting)
    }
}
#endif
