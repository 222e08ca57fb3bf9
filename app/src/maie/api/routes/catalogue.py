"""What can be asked of this deployment: its models and templates."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from fastapi import APIRouter

from maie import backends
from maie.api.schemas import ModelList, ModelView, TemplateList, TemplateView
from maie.api.service import Service, ServiceOf, problems
from maie.backends import Backend
from maie.errors import TemplateNotFound
from maie.models.files import model_name
from maie.prompting.template import Template
from maie.settings import Settings

router = APIRouter(prefix="/v1", tags=["catalogue"])


@router.get("/models", responses=problems(401, 500))
def models(service: ServiceOf) -> ModelList:
    """The models of this deployment."""
    settings = service.settings
    asr, llm = backends.ASR[settings.asr_backend], backends.LLM[settings.llm_backend]
    found = [_model_view("asr", asr, settings.asr_model, settings)]
    if llm.place != "nowhere":
        found.append(_model_view("llm", llm, settings.llm_model, settings))
    return ModelList(models=found)


def _model_view(kind: Literal["asr", "llm"], backend: Backend, folder: Path | None, settings: Settings) -> ModelView:
    engine = backend.title or backend.name
    if folder is None or not backend.in_process:
        identity = getattr(settings, f"{kind}_model_name")
        return ModelView(id=identity, kind=kind, engine=engine, device=None, compute_type=None)
    device, compute_type = getattr(settings, f"{kind}_device"), getattr(settings, f"{kind}_compute_type")
    return ModelView(id=model_name(folder), kind=kind, engine=engine, device=device, compute_type=compute_type)


@router.get("/templates", responses=problems(401, 500))
def templates(service: ServiceOf) -> TemplateList:
    """The templates of summaries; none where the deployment has no language model."""
    return TemplateList(templates=[_template_view(template) for template in service.offer.summaries().values()])


@router.get("/templates/{template_id}", responses=problems(401, 404, 500))
def template(template_id: str, service: ServiceOf) -> TemplateView:
    """One template."""
    return _template_view(_template(template_id, service))


@router.get("/templates/{template_id}/schema", responses=problems(401, 404, 500))
def schema(template_id: str, service: ServiceOf) -> dict[str, Any]:
    """The JSON Schema that a template's summaries fit."""
    return _template(template_id, service).schema


def _template(template_id: str, service: Service) -> Template:
    found = service.offer.summaries().get(template_id)
    if found is None:
        raise TemplateNotFound
    return found


def _template_view(template: Template) -> TemplateView:
    return TemplateView(
        id=template.identity,
        name=template.name,
        description=template.description,
        language=template.language,
        example=template.example,
    )
