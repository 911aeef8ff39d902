"""What gateways tell us: kept at once by the web process, followed by a worker.

An event is a hint and never a fact: we ask the gateway, and its answer counts. So an event that is late, early, repeated
or out of order does no harm. One about a payment that is not ours, or that we sent to another gateway, is kept and
acknowledged like any other, because the gateway would repeat a refused one for days. But we ask nothing because of it.
"""
