import CurlewCore
import Tracing

/// Stores a trace context in user properties, under the names that the tracer chooses.
private struct PropertiesCarrier: Injector, Extractor {
    func inject(_ value: String, forKey key: String, into carrier: inout Properties) { carrier[key] = value }
    func extract(key: String, from carrier: Properties) -> String? { carrier[key] }
}

extension ClientEngine {
    /// Adds the context of the current trace to properties, if there is one. Otherwise it costs only reading a
    /// task-local value.
    func traced(_ properties: Properties) -> Properties {
        guard let context = ServiceContext.current, !context.isEmpty else { return properties }
        var properties = properties
        InstrumentationSystem.instrument.inject(context, into: &properties, using: PropertiesCarrier())
        return properties
    }

    /// The context of the trace that a message belongs to.
    func context(of message: MQTTMessage) -> ServiceContext {
        var context = ServiceContext.current ?? .topLevel
        InstrumentationSystem.instrument.extract(message.properties, into: &context, using: PropertiesCarrier())
        return context
    }
}
