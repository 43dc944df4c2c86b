"""The list of what a release consists of, as CycloneDX: every wheel with version, licence and package URL.

What wheels carry inside themselves (OpenCV and PyAV bring FFmpeg) is told by their makers, not here.
"""

import uuid
from datetime import UTC, datetime
from importlib.metadata import Distribution, distributions
from pathlib import Path

from cyclonedx.factory.license import LicenseFactory
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL

from deploy.package.target import Target


def write_sbom(file: Path, site: Path, target: Target, epoch: int) -> None:
    """Of all distributions in the folder `site`."""
    bom = Bom(serial_number=uuid.uuid5(uuid.NAMESPACE_URL, f"vonggac/{target.stem}/{epoch}"))
    bom.metadata.timestamp = datetime.fromtimestamp(epoch, UTC)
    bom.metadata.component = Component(
        name=target.package, version=target.package_version, type=ComponentType.APPLICATION, bom_ref=target.stem
    )
    found = sorted(distributions(path=[str(site)]), key=lambda each: each.name.lower())
    components = [_component(each) for each in found]
    for component in components:
        bom.components.add(component)
    bom.register_dependency(bom.metadata.component, components)
    file.write_text(JsonV1Dot6(bom).output_as_string(indent=1) + "\n", encoding="utf-8")


def _component(distribution: Distribution) -> Component:
    name, version = distribution.name.lower().replace("_", "-"), distribution.version
    facts = distribution.metadata
    said = next((facts[key] for key in ("License-Expression", "License") if key in facts), "")
    licence = said.strip().splitlines()[0][:100] if said.strip() else ""
    return Component(
        name=name,
        version=version,
        type=ComponentType.LIBRARY,
        bom_ref=f"{name}@{version}",
        purl=PackageURL("pypi", name=name, version=version),
        licenses=[LicenseFactory().make_from_string(licence)] if licence else [],
    )
