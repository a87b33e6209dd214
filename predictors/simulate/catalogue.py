"""What stands in the simulated plant: its classes, their signals, how they fail and are mended.

All of it is declared data. Money is in euros, life and warning in days. The numbers are of the
order a mid-sized factory knows; none is taken from a real plant. Ten failure modes: seven warn
two to six weeks ahead, one a few days, two strike at random.
"""

from __future__ import annotations

from dataclasses import dataclass

LABOUR_RATE = 40.0
"""Euros an hour of a technician, in the cost of planned work."""


@dataclass(frozen=True, slots=True)
class Name:
    """What people call it, in English and Spanish."""

    en: str
    es: str


@dataclass(frozen=True, slots=True)
class Signal:
    """One measurement point of a class, and how its value is made.

    value = base + load_gain * load + season_gain * season + day_gain * time of day + wander + noise
    + the signatures of the degrading components. ``spread`` is the standard deviation of the base
    between assets; ``every`` takes one sample in so many of the plant's sampling interval.
    """

    quantity: str
    name: Name
    unit: str
    low: float
    high: float
    base: float
    spread: float
    load_gain: float
    noise: float
    season_gain: float = 0.0
    day_gain: float = 0.0
    every: int = 1


@dataclass(frozen=True, slots=True)
class Wear:
    """How a component's life passes: a healthy time, then damage that grows until failure.

    The healthy time is Weibull (``shape``, ``scale_days``); damage then grows from 0 as a gamma
    process of mean 1 in ``warning_days`` and the component fails on reaching 1. Without warning
    days the failure ends the healthy time at once.
    """

    shape: float
    scale_days: float
    warning_days: float = 0.0


@dataclass(frozen=True, slots=True)
class FailureMode:
    """How a class fails: cause, signature in the signals, price of the failure.

    ``signature`` maps a quantity to what full damage adds to it. ``interval_days`` is the
    manufacturer's replacement interval (0: run to failure).
    """

    code: str
    iso_code: str
    name: Name
    effect: Name
    component: str
    component_name: Name
    wear: Wear
    signature: tuple[tuple[str, float], ...]
    error_code: str | None
    repair_cost: float
    downtime_hours: float
    downtime_rate: float
    secondary_cost: float
    safety_cost: float
    interval_days: float
    plan: JobPlan

    @property
    def expert_mtbf_days(self) -> float:
        """What the manufacturer claims: a round guess made from the interval, not from truth."""
        return round(self.interval_days / 0.75, -1) if self.interval_days else 400.0

    @property
    def c_fail(self) -> float:
        """Price of a failure."""
        downtime = self.downtime_hours * self.downtime_rate
        return self.repair_cost + downtime + self.secondary_cost + self.safety_cost

    @property
    def c_prev(self) -> float:
        """Price of the planned replacement: parts and labour, the asset's window aside."""
        return self.plan.parts_cost + self.plan.crew_hours * LABOUR_RATE


@dataclass(frozen=True, slots=True)
class Role:
    skill: str
    level: int
    count: int = 1


@dataclass(frozen=True, slots=True)
class Part:
    """A spare part; ``stock`` and ``deliveries`` (days ahead, quantity) serve 16 assets."""

    code: str
    name: Name
    unit_cost: float
    lead_time_days: int
    stock: int
    deliveries: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class ToolType:
    """``count`` tools; one of the calibrated ones is due ``calibration_in_days`` ahead."""

    code: str
    name: Name
    count: int
    calibration_in_days: int | None = None


@dataclass(frozen=True, slots=True)
class JobPlan:
    """The planned replacement: minutes (usual, long), people, tools, parts and steps."""

    code: str
    name: Name
    duration_p50_minutes: int
    duration_p80_minutes: int
    roles: tuple[Role, ...]
    tools: tuple[tuple[str, int], ...]
    parts: tuple[tuple[Part, int], ...]
    tasks: tuple[Name, ...]

    @property
    def crew_hours(self) -> float:
        """Hours of all people together, at the usual duration."""
        return self.duration_p50_minutes * sum(role.count for role in self.roles) / 60

    @property
    def parts_cost(self) -> float:
        """Price of the parts."""
        return sum(quantity * part.unit_cost for part, quantity in self.parts)


@dataclass(frozen=True, slots=True)
class AssetClass:
    """Assets of one kind: they share signals, error codes and failure modes."""

    code: str
    prefix: str
    name: Name
    flavours: tuple[Name, ...]
    makers: tuple[str, ...]
    rated_power_kw: tuple[float, ...]
    signals: tuple[Signal, ...]
    chatter_codes: tuple[str, ...]
    modes: tuple[FailureMode, ...]


SKILLS: tuple[tuple[str, Name], ...] = (
    ("mechanics", Name("Mechanics", "Mecánica")),
    ("electrics", Name("Electrics", "Electricidad")),
    ("fluids", Name("Hydraulics and pneumatics", "Hidráulica y neumática")),
    ("precision", Name("Precision alignment", "Alineación de precisión")),
)

TOOL_TYPES: tuple[ToolType, ...] = (
    ToolType("laser", Name("Laser alignment kit", "Equipo de alineación láser"), 2, 6),
    ToolType("puller", Name("Hydraulic bearing puller", "Extractor hidráulico"), 2),
    ToolType("crane", Name("Mobile crane", "Grúa móvil"), 2),
    ToolType("splicer", Name("Belt splicing press", "Prensa de empalme de banda"), 1),
    ToolType("flusher", Name("Flushing unit", "Equipo de lavado"), 1),
    ToolType("tester", Name("Insulation tester", "Medidor de aislamiento"), 2, 20),
    ToolType("ballbar", Name("Ballbar", "Ballbar"), 2, 40),
)

_LOCK = Name("Stop, lock out and tag", "Parar, consignar y etiquetar")
_TEST = Name("Test run and hand over", "Prueba en marcha y entrega")

PUMP = AssetClass(
    code="pump",
    prefix="PU",
    name=Name("Centrifugal pump", "Bomba centrífuga"),
    flavours=(
        Name("Cooling water pump", "Bomba de agua de refrigeración"),
        Name("Feed pump", "Bomba de alimentación"),
        Name("Transfer pump", "Bomba de trasiego"),
        Name("Wash pump", "Bomba de lavado"),
    ),
    makers=("Alvena", "Torreal"),
    rated_power_kw=(15.0, 22.0, 37.0),
    signals=(
        Signal("vibration", Name("Vibration", "Vibración"), "mm/s", 0, 30, 2.2, 0.25, 0.9, 0.18),
        Signal(
            "bearing_temperature",
            Name("Bearing temperature", "Temperatura de rodamiento"),
            "°C",
            -20,
            150,
            46,
            2,
            9,
            0.8,
            season_gain=6,
            day_gain=2,
            every=2,
        ),
        Signal(
            "discharge_pressure",
            Name("Discharge pressure", "Presión de impulsión"),
            "bar",
            0,
            20,
            6.0,
            0.2,
            0.7,
            0.09,
        ),
        Signal(
            "motor_current",
            Name("Motor current", "Corriente del motor"),
            "A",
            0,
            90,
            22,
            1.2,
            14,
            0.7,
        ),
    ),
    chatter_codes=("PU-E01", "PU-E02"),
    modes=(
        FailureMode(
            code="PU-BRG",
            iso_code="VIB",
            name=Name("Bearing wear", "Desgaste de rodamiento"),
            effect=Name("Pump seizes and trips", "La bomba se agarrota y dispara"),
            component="bearing",
            component_name=Name("Bearing set", "Juego de rodamientos"),
            wear=Wear(3.0, 185, 35),
            signature=(("vibration", 2.6), ("bearing_temperature", 8.0), ("motor_current", 1.0)),
            error_code="PU-E11",
            repair_cost=1400,
            downtime_hours=9,
            downtime_rate=420,
            secondary_cost=1700,
            safety_cost=0,
            interval_days=165,
            plan=JobPlan(
                "PU-BRG-R",
                Name("Replace pump bearings", "Sustituir rodamientos de la bomba"),
                360,
                450,
                (Role("precision", 2), Role("mechanics", 1)),
                (("puller", 1), ("laser", 1)),
                (
                    (
                        Part(
                            "BRG-6312",
                            Name("Bearing set 6312", "Juego rodamientos 6312"),
                            380,
                            10,
                            4,
                            ((4, 4), (18, 8)),
                        ),
                        1,
                    ),
                ),
                (
                    _LOCK,
                    Name("Pull coupling and bearings", "Extraer acoplamiento y rodamientos"),
                    Name("Fit new bearings and align", "Montar rodamientos y alinear"),
                    _TEST,
                ),
            ),
        ),
        FailureMode(
            code="PU-SEA",
            iso_code="ELP",
            name=Name("Mechanical seal leakage", "Fuga del cierre mecánico"),
            effect=Name("Process fluid leaks to the floor", "Fuga de producto al suelo"),
            component="seal",
            component_name=Name("Mechanical seal", "Cierre mecánico"),
            wear=Wear(2.6, 146, 28),
            signature=(("discharge_pressure", -1.0), ("vibration", 0.35)),
            error_code="PU-E21",
            repair_cost=900,
            downtime_hours=6,
            downtime_rate=420,
            secondary_cost=300,
            safety_cost=600,
            interval_days=140,
            plan=JobPlan(
                "PU-SEA-R",
                Name("Replace mechanical seal", "Sustituir cierre mecánico"),
                240,
                300,
                (Role("mechanics", 2), Role("mechanics", 1)),
                (("puller", 1),),
                (
                    (
                        Part(
                            "SEA-45",
                            Name("Seal kit 45 mm", "Kit de cierre 45 mm"),
                            290,
                            14,
                            4,
                            ((7, 4),),
                        ),
                        1,
                    ),
                ),
                (
                    _LOCK,
                    Name("Drain and open the pump", "Vaciar y abrir la bomba"),
                    Name("Fit the new seal", "Montar el cierre nuevo"),
                    _TEST,
                ),
            ),
        ),
        FailureMode(
            code="PU-MOT",
            iso_code="BRD",
            name=Name("Motor winding burn-out", "Bobinado del motor quemado"),
            effect=Name("Motor does not start", "El motor no arranca"),
            component="motor",
            component_name=Name("Motor", "Motor"),
            wear=Wear(1.0, 520),
            signature=(),
            error_code=None,
            repair_cost=2600,
            downtime_hours=10,
            downtime_rate=420,
            secondary_cost=800,
            safety_cost=0,
            interval_days=0,
            plan=JobPlan(
                "PU-MOT-R",
                Name("Replace pump motor", "Sustituir motor de la bomba"),
                300,
                390,
                (Role("electrics", 2), Role("mechanics", 1)),
                (("crane", 1), ("tester", 1)),
                ((Part("MOT-22", Name("Motor 22 kW", "Motor 22 kW"), 1500, 25, 1, ((20, 1),)), 1),),
                (
                    _LOCK,
                    Name("Disconnect and lift out the motor", "Desconectar e izar el motor"),
                    Name("Fit, wire and test insulation", "Montar, conectar y medir aislamiento"),
                    _TEST,
                ),
            ),
        ),
    ),
)

CONVEYOR = AssetClass(
    code="conveyor",
    prefix="CV",
    name=Name("Belt conveyor", "Cinta transportadora"),
    flavours=(
        Name("Infeed conveyor", "Cinta de entrada"),
        Name("Sorting conveyor", "Cinta de clasificación"),
        Name("Outfeed conveyor", "Cinta de salida"),
        Name("Incline conveyor", "Cinta inclinada"),
    ),
    makers=("Rodalia", "Montcal"),
    rated_power_kw=(7.5, 11.0, 15.0),
    signals=(
        Signal(
            "motor_current",
            Name("Motor current", "Corriente del motor"),
            "A",
            0,
            60,
            14,
            0.8,
            10,
            0.6,
        ),
        Signal(
            "belt_speed",
            Name("Belt speed", "Velocidad de la banda"),
            "m/s",
            0,
            4,
            1.6,
            0.03,
            -0.03,
            0.012,
        ),
        Signal(
            "gearbox_temperature",
            Name("Gearbox temperature", "Temperatura del reductor"),
            "°C",
            -20,
            150,
            50,
            2,
            9,
            0.9,
            season_gain=6,
            day_gain=2,
            every=2,
        ),
        Signal("vibration", Name("Vibration", "Vibración"), "mm/s", 0, 30, 1.8, 0.2, 0.7, 0.15),
    ),
    chatter_codes=("CV-E01", "CV-E02"),
    modes=(
        FailureMode(
            code="CV-BLT",
            iso_code="SLP",
            name=Name("Belt wear and slip", "Desgaste y patinaje de banda"),
            effect=Name("Belt tears and stops the line", "La banda se rompe y para la línea"),
            component="belt",
            component_name=Name("Belt", "Banda"),
            wear=Wear(2.6, 166, 38),
            signature=(("belt_speed", -0.09), ("motor_current", 2.4)),
            error_code="CV-E11",
            repair_cost=1300,
            downtime_hours=8,
            downtime_rate=520,
            secondary_cost=500,
            safety_cost=0,
            interval_days=155,
            plan=JobPlan(
                "CV-BLT-R",
                Name("Replace conveyor belt", "Sustituir banda transportadora"),
                360,
                440,
                (Role("mechanics", 2), Role("mechanics", 1)),
                (("splicer", 1),),
                (
                    (
                        Part(
                            "BLT-800",
                            Name("Belt 800 mm, 12 m", "Banda 800 mm, 12 m"),
                            620,
                            12,
                            5,
                            ((7, 3),),
                        ),
                        1,
                    ),
                ),
                (
                    _LOCK,
                    Name("Cut and remove the belt", "Cortar y retirar la banda"),
                    Name("Splice, tension and track", "Empalmar, tensar y centrar"),
                    _TEST,
                ),
            ),
        ),
        FailureMode(
            code="CV-GBX",
            iso_code="OHE",
            name=Name("Gearbox wear", "Desgaste del reductor"),
            effect=Name("Gearbox breaks, long stop", "Rotura del reductor, parada larga"),
            component="gearbox",
            component_name=Name("Gearbox", "Reductor"),
            wear=Wear(3.2, 260, 42),
            signature=(("gearbox_temperature", 11.0), ("vibration", 2.0)),
            error_code="CV-E21",
            repair_cost=4200,
            downtime_hours=26,
            downtime_rate=520,
            secondary_cost=8000,
            safety_cost=1500,
            interval_days=220,
            plan=JobPlan(
                "CV-GBX-R",
                Name("Replace gearbox", "Sustituir reductor"),
                390,
                470,
                (Role("mechanics", 3), Role("mechanics", 1)),
                (("crane", 1), ("laser", 1)),
                (
                    (
                        Part(
                            "GBX-K77", Name("Gearbox K77", "Reductor K77"), 1900, 35, 5, ((9, 2),)
                        ),
                        1,
                    ),
                ),
                (
                    _LOCK,
                    Name("Lift out the gearbox", "Desmontar e izar el reductor"),
                    Name("Fit, fill and align", "Montar, llenar y alinear"),
                    _TEST,
                ),
            ),
        ),
    ),
)

COMPRESSOR = AssetClass(
    code="compressor",
    prefix="CP",
    name=Name("Air compressor", "Compresor de aire"),
    flavours=(
        Name("Base load compressor", "Compresor de base"),
        Name("Peak compressor", "Compresor de punta"),
        Name("Instrument air compressor", "Compresor de aire de instrumentos"),
    ),
    makers=("Ventora", "Airena"),
    rated_power_kw=(45.0, 75.0, 110.0),
    signals=(
        Signal(
            "discharge_pressure",
            Name("Discharge pressure", "Presión de descarga"),
            "bar",
            0,
            16,
            7.4,
            0.15,
            0.3,
            0.06,
        ),
        Signal(
            "oil_temperature",
            Name("Oil temperature", "Temperatura del aceite"),
            "°C",
            -20,
            160,
            70,
            2,
            9,
            0.9,
            season_gain=5,
            day_gain=2,
            every=2,
        ),
        Signal("vibration", Name("Vibration", "Vibración"), "mm/s", 0, 40, 2.6, 0.25, 0.6, 0.2),
        Signal(
            "motor_current",
            Name("Motor current", "Corriente del motor"),
            "A",
            0,
            250,
            55,
            3,
            38,
            1.6,
        ),
    ),
    chatter_codes=("CP-E01", "CP-E02", "CP-E03"),
    modes=(
        FailureMode(
            code="CP-VLV",
            iso_code="INL",
            name=Name("Valve leakage", "Fuga de válvulas"),
            effect=Name("Pressure cannot be held", "No mantiene la presión"),
            component="valves",
            component_name=Name("Valve set", "Juego de válvulas"),
            wear=Wear(2.8, 156, 30),
            signature=(("discharge_pressure", -0.6), ("vibration", 0.9), ("oil_temperature", 2.5)),
            error_code="CP-E11",
            repair_cost=1100,
            downtime_hours=8,
            downtime_rate=480,
            secondary_cost=700,
            safety_cost=0,
            interval_days=145,
            plan=JobPlan(
                "CP-VLV-R",
                Name("Replace compressor valves", "Sustituir válvulas del compresor"),
                300,
                380,
                (Role("fluids", 2), Role("mechanics", 1)),
                (),
                (
                    (
                        Part(
                            "VLV-KIT", Name("Valve kit", "Kit de válvulas"), 340, 15, 5, ((6, 4),)
                        ),
                        1,
                    ),
                ),
                (
                    _LOCK,
                    Name("Open the head, change the valves", "Abrir culata, cambiar válvulas"),
                    Name("Leak test", "Prueba de fugas"),
                    _TEST,
                ),
            ),
        ),
        FailureMode(
            code="CP-FOU",
            iso_code="PLU",
            name=Name("Oil cooler fouling", "Ensuciamiento del refrigerador de aceite"),
            effect=Name("Trips on oil temperature", "Dispara por temperatura de aceite"),
            component="cooler",
            component_name=Name("Oil cooler", "Refrigerador de aceite"),
            wear=Wear(3.0, 126, 32),
            signature=(("oil_temperature", 12.0), ("motor_current", 2.5)),
            error_code="CP-E21",
            repair_cost=700,
            downtime_hours=4,
            downtime_rate=480,
            secondary_cost=0,
            safety_cost=0,
            interval_days=130,
            plan=JobPlan(
                "CP-FOU-R",
                Name("Flush and renew oil cooler", "Lavar y renovar refrigerador de aceite"),
                240,
                310,
                (Role("fluids", 1), Role("mechanics", 1)),
                (("flusher", 1),),
                (
                    (
                        Part(
                            "CLN-20",
                            Name("Cleaner 20 l and gaskets", "Limpiador 20 l y juntas"),
                            180,
                            5,
                            8,
                            ((6, 10),),
                        ),
                        1,
                    ),
                ),
                (
                    _LOCK,
                    Name("Flush the cooler", "Lavar el refrigerador"),
                    Name("New gaskets and oil", "Juntas y aceite nuevos"),
                    _TEST,
                ),
            ),
        ),
        FailureMode(
            code="CP-CTL",
            iso_code="FTS",
            name=Name("Control board failure", "Fallo de la placa de control"),
            effect=Name("Compressor does not start", "El compresor no arranca"),
            component="controller",
            component_name=Name("Control board", "Placa de control"),
            wear=Wear(1.0, 460),
            signature=(),
            error_code=None,
            repair_cost=1900,
            downtime_hours=9,
            downtime_rate=480,
            secondary_cost=0,
            safety_cost=0,
            interval_days=0,
            plan=JobPlan(
                "CP-CTL-R",
                Name("Replace control board", "Sustituir placa de control"),
                180,
                240,
                (Role("electrics", 3),),
                (("tester", 1),),
                (
                    (
                        Part(
                            "CTL-B2", Name("Control board B2", "Placa de control B2"), 1400, 30, 1
                        ),
                        1,
                    ),
                ),
                (
                    _LOCK,
                    Name("Change the board, load parameters", "Cambiar placa, cargar parámetros"),
                    _TEST,
                ),
            ),
        ),
    ),
)

MILL = AssetClass(
    code="mill",
    prefix="MC",
    name=Name("CNC milling centre", "Centro de mecanizado CNC"),
    flavours=(
        Name("Vertical milling centre", "Centro de mecanizado vertical"),
        Name("Horizontal milling centre", "Centro de mecanizado horizontal"),
        Name("Five-axis milling centre", "Centro de cinco ejes"),
    ),
    makers=("Fresnor", "Durbana"),
    rated_power_kw=(18.5, 25.0, 30.0),
    signals=(
        Signal(
            "vibration",
            Name("Spindle vibration", "Vibración del husillo"),
            "mm/s",
            0,
            20,
            1.1,
            0.12,
            0.5,
            0.1,
        ),
        Signal(
            "spindle_temperature",
            Name("Spindle temperature", "Temperatura del husillo"),
            "°C",
            -10,
            120,
            36,
            1.5,
            12,
            0.8,
            season_gain=3,
            day_gain=1,
            every=2,
        ),
        Signal(
            "spindle_load", Name("Spindle load", "Carga del husillo"), "%", 0, 150, 20, 1.5, 45, 2.0
        ),
        Signal(
            "following_error",
            Name("Following error", "Error de seguimiento"),
            "µm",
            0,
            90,
            4,
            0.4,
            1.5,
            0.4,
        ),
    ),
    chatter_codes=("MC-E01", "MC-E02", "MC-E03"),
    modes=(
        FailureMode(
            code="MC-SPN",
            iso_code="NOI",
            name=Name("Spindle bearing wear", "Desgaste de rodamientos del husillo"),
            effect=Name("Spindle seizes, parts scrapped", "El husillo gripa, piezas rechazadas"),
            component="spindle",
            component_name=Name("Spindle", "Husillo"),
            wear=Wear(3.2, 236, 32),
            signature=(("vibration", 1.5), ("spindle_temperature", 7.0), ("spindle_load", 3.0)),
            error_code="MC-E11",
            repair_cost=8200,
            downtime_hours=34,
            downtime_rate=560,
            secondary_cost=3500,
            safety_cost=0,
            interval_days=200,
            plan=JobPlan(
                "MC-SPN-R",
                Name("Renew spindle bearings", "Renovar rodamientos del husillo"),
                390,
                470,
                (Role("precision", 3), Role("mechanics", 2)),
                (("laser", 1), ("crane", 1)),
                (
                    (
                        Part(
                            "SPN-KIT",
                            Name("Spindle bearing kit", "Kit rodamientos de husillo"),
                            1050,
                            28,
                            3,
                            ((8, 2),),
                        ),
                        1,
                    ),
                ),
                (
                    _LOCK,
                    Name("Remove the spindle", "Desmontar el husillo"),
                    Name(
                        "New bearings, preload and run in", "Rodamientos nuevos, precarga y rodaje"
                    ),
                    _TEST,
                ),
            ),
        ),
        FailureMode(
            code="MC-AXS",
            iso_code="PDE",
            name=Name("Ball screw breakage", "Rotura del husillo de bolas"),
            effect=Name("Axis stops, program lost", "El eje se para, programa perdido"),
            component="ballscrew",
            component_name=Name("Ball screw", "Husillo de bolas"),
            wear=Wear(2.6, 175, 3.5),
            signature=(("following_error", 7.0),),
            error_code="MC-E21",
            repair_cost=3000,
            downtime_hours=16,
            downtime_rate=560,
            secondary_cost=1000,
            safety_cost=0,
            interval_days=130,
            plan=JobPlan(
                "MC-AXS-R",
                Name("Replace ball screw", "Sustituir husillo de bolas"),
                360,
                450,
                (Role("precision", 2), Role("electrics", 1)),
                (("ballbar", 1),),
                (
                    (
                        Part(
                            "BSC-40",
                            Name("Ball screw 40x10", "Husillo de bolas 40x10"),
                            850,
                            21,
                            8,
                            ((8, 4),),
                        ),
                        1,
                    ),
                ),
                (
                    _LOCK,
                    Name("Change the screw", "Cambiar el husillo de bolas"),
                    Name("Compensate and verify the axis", "Compensar y verificar el eje"),
                    _TEST,
                ),
            ),
        ),
    ),
)

ASSET_CLASSES: tuple[AssetClass, ...] = (PUMP, CONVEYOR, COMPRESSOR, MILL)
