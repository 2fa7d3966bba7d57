"""The whole of Batchyard on one machine: template.yaml on the engine, and a provider.

Other rooms import: api_key, deploy, door, function_logs, parameters, provider_choice, run_folder, running, settings, start, up.
"""
