{#
    The landing event: each Silver column that is read from it, in order, with its type and its path in
    the event.

    Returns:
        A list of dicts: name, type (string, int, double, date or timestamp), path.
#}
{% macro event_columns() %}
  {%- set static = 'vehicle_static_info' -%}
  {%- set insurance = 'vehicle_dynamic_state.insurance_info' -%}
  {%- set maintenance = 'vehicle_dynamic_state.maintenance_info' -%}
  {%- set rental = 'current_rental_agreement' -%}
  {%- set trip = 'trip_data.trip_summary' -%}
  {%- set telemetry = 'trip_data.vehicle_telemetry_snapshot' -%}
  {%- set columns = [] -%}
  {%- for name, type, path in [
      ('event_id', 'string', 'event_id'),
      ('car_chassis', 'string', 'carChassis'),
      ('event_primary_timestamp', 'string', 'event_primary_timestamp'),
      ('event_timestamp', 'timestamp', 'event_primary_timestamp'),
      ('processing_timestamp', 'timestamp', 'processing_timestamp'),
      ('model', 'string', static ~ '.data.Model'),
      ('manufacturer', 'string', static ~ '.data.Manufacturer'),
      ('gas_type', 'string', static ~ '.data.gasType'),
      ('color', 'string', static ~ '.data.color'),
      ('year', 'int', static ~ '.data.year'),
      ('model_year', 'int', static ~ '.data.ModelYear'),
      ('fuel_capacity_liters', 'double', static ~ '.data.fuelCapacityLiters'),
      ('static_info_extracted_at', 'timestamp', static ~ '.extraction_timestamp'),
      ('static_info_source', 'string', static ~ '.source_system'),
      ('insurance_provider', 'string', insurance ~ '.data.provider'),
      ('insurance_policy_number', 'string', insurance ~ '.data.policy_number'),
      ('insurance_valid_until', 'date', insurance ~ '.data.validUntil'),
      ('insurance_extracted_at', 'timestamp', insurance ~ '.extraction_timestamp'),
      ('insurance_source', 'string', insurance ~ '.source_system'),
      ('last_service_date', 'date', maintenance ~ '.data.last_service_date'),
      ('last_service_mileage_km', 'double', maintenance ~ '.data.last_service_mileage'),
      ('oil_life_percentage', 'double', maintenance ~ '.data.oil_life_percentage'),
      ('maintenance_extracted_at', 'timestamp', maintenance ~ '.extraction_timestamp'),
      ('maintenance_source', 'string', maintenance ~ '.source_system'),
      ('rental_agreement_id', 'string', rental ~ '.data.agreement_id'),
      ('rental_customer_id', 'string', rental ~ '.data.customer_id'),
      ('rental_start_at', 'timestamp', rental ~ '.data.rental_start_date'),
      ('rental_extracted_at', 'timestamp', rental ~ '.extraction_timestamp'),
      ('rental_source', 'string', rental ~ '.source_system'),
      ('trip_start_at', 'timestamp', trip ~ '.data.tripStartTimestamp'),
      ('trip_end_at', 'timestamp', trip ~ '.data.tripEndTimestamp'),
      ('trip_distance_km', 'double', trip ~ '.data.tripMileage'),
      ('trip_fuel_consumed_liters', 'double', trip ~ '.data.tripFuelLiters'),
      ('trip_duration_minutes', 'double', trip ~ '.data.tripTimeMinutes'),
      ('trip_max_speed_kmh', 'double', trip ~ '.data.tripMaxSpeedKm'),
      ('trip_extracted_at', 'timestamp', trip ~ '.extraction_timestamp'),
      ('trip_source', 'string', trip ~ '.source_system'),
      ('telemetry_timestamp', 'timestamp', telemetry ~ '.extraction_timestamp'),
      ('telemetry_source', 'string', telemetry ~ '.source_system'),
      ('current_mileage_km', 'double', telemetry ~ '.data.currentMileage'),
      ('fuel_available_liters', 'double', telemetry ~ '.data.fuelAvailableLiters'),
      ('engine_temp_celsius', 'double', telemetry ~ '.data.engineTempCelsius'),
      ('oil_temp_celsius', 'double', telemetry ~ '.data.oilTempCelsius'),
      ('battery_charge_percentage', 'double', telemetry ~ '.data.batteryChargePerc'),
      ('tire_pressure_front_left_psi', 'double', telemetry ~ '.data.tire_pressures_psi.front_left'),
      ('tire_pressure_front_right_psi', 'double', telemetry ~ '.data.tire_pressures_psi.front_right'),
      ('tire_pressure_rear_left_psi', 'double', telemetry ~ '.data.tire_pressures_psi.rear_left'),
      ('tire_pressure_rear_right_psi', 'double', telemetry ~ '.data.tire_pressures_psi.rear_right'),
  ] -%}
    {%- do columns.append({'name': name, 'type': type, 'path': path}) -%}
  {%- endfor -%}
  {{ return(columns) }}
{% endmacro %}
